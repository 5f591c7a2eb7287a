// @microsoft/teams.graph, with the functions of @microsoft/teams.graph-endpoints.

import { ClientSecretCredential } from "@azure/identity";
import { Client, GraphError } from "@microsoft/teams.graph";
import * as calls from "@microsoft/teams.graph-endpoints/communications/calls";
import { serve } from "./lines.mjs";

// Each verb is a function of that package, whose parameters bear the names of the path's.
function verbs(client) {
  const parameters = ({ call, member }) => ({
    "call-id": call,
    "commsOperation-id": member,
    "participant-id": member,
  });
  const bare = (endpoint) => (told) => client.call(endpoint, parameters(told));
  const withBody = (endpoint) => (told) => client.call(endpoint, told.body ?? {}, parameters(told));
  const { participants } = calls;
  return {
    createCall: ({ body }) => client.call(calls.create, body),
    listCalls: () => client.call(calls.list),
    getCall: bare(calls.get),
    updateCall: withBody(calls.update),
    hangUp: bare(calls.del),
    listOperations: bare(calls.operations.list),
    getOperation: bare(calls.operations.get),
    deleteOperation: bare(calls.operations.del),
    answer: withBody(calls.answer.create),
    reject: withBody(calls.reject.create),
    keepAlive: bare(calls.keepAlive.create),
    playPrompt: withBody(calls.playPrompt.create),
    recordResponse: withBody(calls.recordResponse.create),
    subscribeToTone: withBody(calls.subscribeToTone.create),
    sendDtmfTones: withBody(calls.sendDtmfTones.create),
    cancelMediaProcessing: withBody(calls.cancelMediaProcessing.create),
    redirect: withBody(calls.redirect.create),
    transfer: withBody(calls.transfer.create),
    mute: withBody(calls.mute.create),
    unmute: withBody(calls.unmute.create),
    changeScreenSharingRole: withBody(calls.changeScreenSharingRole.create),
    updateRecordingStatus: withBody(calls.updateRecordingStatus.create),
    addLargeGalleryView: withBody(calls.addLargeGalleryView.create),
    listParticipants: bare(participants.list),
    getParticipant: bare(participants.get),
    deleteParticipant: bare(participants.del),
    invite: withBody(participants.invite.create),
    muteParticipant: withBody(participants.mute.create),
    startHoldMusic: withBody(participants.startHoldMusic.create),
    stopHoldMusic: withBody(participants.stopHoldMusic.create),
    listAudioRoutingGroups: bare(calls.audioRoutingGroups.list),
    createAudioRoutingGroup: withBody(calls.audioRoutingGroups.create),
    listContentSharingSessions: bare(calls.contentSharingSessions.list),
    logTeleconferenceDeviceQuality: ({ body }) => client.call(calls.logTeleconferenceDeviceQuality.create, body),
  };
}

await serve(({ server, tenant, app, secret, scope }) => {
  const credential = new ClientSecretCredential(tenant, app, secret, {
    authorityHost: server,
    disableInstanceDiscovery: true,
  });
  const token = async () => (await credential.getToken(scope)).token;
  const client = new Client({ token }, { baseUrlRoot: server });
  return { name: "teams.graph", version: "v1.0", error: GraphError, verbs: verbs(client) };
});
