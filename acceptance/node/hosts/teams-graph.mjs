// A bot on @microsoft/teams.graph, with its token from @azure/identity: calls, and prints the call's id.

import { ClientSecretCredential } from "@azure/identity";
import { Client } from "@microsoft/teams.graph";
import * as endpoints from "@microsoft/teams.graph-endpoints/communications/calls";
import { app, call, scope, secret, tenant } from "./setting.mjs";

const credential = new ClientSecretCredential(tenant, app, secret);
const client = new Client({ token: async () => (await credential.getToken(scope)).token });
console.log((await client.call(endpoints.create, call)).id);
