// What every bot here has in its own environment, as bots do. Where Microsoft is, they know by heart.

export const {
  TENANT_ID: tenant,
  CLIENT_ID: app,
  CLIENT_SECRET: secret,
  CALLED_USER: user,
} = process.env;

export const tokens = `https://login.microsoftonline.com/${tenant}/oauth2/v2.0/token`;
export const calls = "https://graph.microsoft.com/v1.0/communications/calls";
export const scope = "https://graph.microsoft.com/.default";

export const form = new URLSearchParams({
  grant_type: "client_credentials",
  client_id: app,
  client_secret: secret,
  scope,
}).toString();

export const call = {
  "@odata.type": "#microsoft.graph.call",
  callbackUri: "http://127.0.0.1:3978/api/calls",
  requestedModalities: ["audio"],
  mediaConfig: { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
  targets: [{ identity: { user: { id: user } } }],
  tenantId: tenant,
};

export const formHeaders = { "content-type": "application/x-www-form-urlencoded" };
export const headers = (token) => ({ authorization: `Bearer ${token}`, "content-type": "application/json" });
