export { createWebClient, WebClient, WebConversations, WebGroup } from "./web-client.ts";
export type { WebClientOptions } from "./options.ts";
export type { NamedCallOptions, WebJoinOptions } from "./web-client.ts";
export type { ClientEvent, ClientState, Connection, WireError } from "./protocol.ts";
export type { GroupView, InviteView, MessageView, SelfView } from "./views.ts";
