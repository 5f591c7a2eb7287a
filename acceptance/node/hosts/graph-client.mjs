// A bot on @microsoft/microsoft-graph-client and @azure/identity, both as they come: calls, and prints the call's id.

import { ClientSecretCredential } from "@azure/identity";
import { Client } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider } from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";
import { app, call, scope, secret, tenant } from "./setting.mjs";

const credential = new ClientSecretCredential(tenant, app, secret);
const authProvider = new TokenCredentialAuthenticationProvider(credential, { scopes: [scope] });
const client = Client.initWithMiddleware({ authProvider });
console.log((await client.api("/communications/calls").post(call)).id);
