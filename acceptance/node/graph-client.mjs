// @microsoft/microsoft-graph-client, with its token from @azure/identity. It sends a token over https alone.

import { ClientSecretCredential } from "@azure/identity";
import { Client, GraphError, PageIterator } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";
import { serve } from "./lines.mjs";

const ROOT = "/communications/calls";

// An answer without a content type comes as a stream, also when there is nothing in it.
async function whole(request) {
  const value = await request;
  return value instanceof ReadableStream ? new Response(value).text() : value;
}

// A program names what it wants by its path.
function verbs(client) {
  const at = ({ call, member }, path) =>
    client.api(`${ROOT}/${call}${path.replace("{member}", member)}`);
  const get = (path) => (told) => at(told, path).get();
  const remove = (path) => (told) => at(told, path).delete();
  const post = (path) => (told) => whole(at(told, path).post(told.body ?? {}));
  const actions = [
    "answer",
    "reject",
    "keepAlive",
    "playPrompt",
    "recordResponse",
    "subscribeToTone",
    "sendDtmfTones",
    "cancelMediaProcessing",
    "redirect",
    "transfer",
    "mute",
    "unmute",
    "changeScreenSharingRole",
    "updateRecordingStatus",
    "addLargeGalleryView",
  ];
  return {
    createCall: ({ body }) => client.api(ROOT).post(body),
    listCalls: () => client.api(ROOT).get(),
    getCall: get(""),
    updateCall: (told) => at(told, "").patch(told.body),
    hangUp: remove(""),
    listOperations: get("/operations"),
    pageOperations: async (told) => {
      const ids = [];
      const first = await at(told, "/operations").top(1).get();
      await new PageIterator(client, first, ({ id }) => ids.push(id) > 0).iterate();
      return ids;
    },
    getOperation: get("/operations/{member}"),
    deleteOperation: remove("/operations/{member}"),
    ...Object.fromEntries(actions.map((action) => [action, post(`/${action}`)])),
    listParticipants: get("/participants"),
    getParticipant: get("/participants/{member}"),
    deleteParticipant: remove("/participants/{member}"),
    invite: post("/participants/invite"),
    muteParticipant: post("/participants/{member}/mute"),
    startHoldMusic: post("/participants/{member}/startHoldMusic"),
    stopHoldMusic: post("/participants/{member}/stopHoldMusic"),
    listAudioRoutingGroups: get("/audioRoutingGroups"),
    createAudioRoutingGroup: post("/audioRoutingGroups"),
    listContentSharingSessions: get("/contentSharingSessions"),
    logTeleconferenceDeviceQuality: ({ body }) => client.api(`${ROOT}/logTeleconferenceDeviceQuality`).post(body),
  };
}

await serve(({ server, tenant, app, secret, scope }) => {
  const credential = new ClientSecretCredential(tenant, app, secret, {
    authorityHost: server,
    disableInstanceDiscovery: true,
  });
  const authProvider = new TokenCredentialAuthenticationProvider(credential, { scopes: [scope] });
  const customHosts = new Set([new URL(server).hostname]);
  const client = Client.initWithMiddleware({ authProvider, baseUrl: `${server}/`, customHosts });
  return { name: "microsoft-graph-client", version: "v1.0", error: GraphError, verbs: verbs(client) };
});
