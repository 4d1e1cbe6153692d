import {
  EXTENSION_TYPE,
  PROPOSAL_TYPE,
  CREDENTIAL_TYPE,
  encode,
  encodeAppDataDictionary,
  encodeRequiredCapabilities,
  utf8,
  type AppData,
  type Extension,
} from "@latchkey/mls";
import { ConversationType } from "../proto.ts";
import { APP_DATA_PROTOCOL_VERSION } from "../protocol.ts";
import { COMPONENT } from "./component.ts";
import { COMPONENT_ID_KEY, INBOX_ID_KEY } from "./keys.ts";
import { encodeMembershipEntry } from "./membership.ts";
import { newRegistry, type GroupPermissions } from "./registry.ts";
import { encodeTlsMap } from "./tls-map.ts";
import { encodeTlsSet } from "./tls-set.ts";

/** Options of a new group. */
export interface NewGroup {
  readonly creatorInboxId: string;
  /** The creator's point in its own identity log. */
  readonly creatorSequenceId: bigint;
  readonly name?: string;
  readonly description?: string;
  readonly imageUrl?: string;
  /** Who may add members and change texts; default everybody ("all_members"). */
  readonly permissions?: GroupPermissions;
}

const NO_TAG = new Uint8Array(0);

function newAppData(group: NewGroup): AppData {
  const { creatorInboxId, creatorSequenceId } = group;
  const entry = { sequenceId: creatorSequenceId, failedInstallations: [], admittedViaExternalGroupId: NO_TAG };
  return new Map<number, Uint8Array>([
    [COMPONENT.componentRegistry, encodeTlsMap(COMPONENT_ID_KEY, newRegistry(group.permissions ?? "all_members"))],
    [COMPONENT.superAdminList, encodeTlsSet(INBOX_ID_KEY, new Set([creatorInboxId]))],
    [COMPONENT.adminList, encodeTlsSet(INBOX_ID_KEY, new Set())],
    [COMPONENT.groupMembership, encodeTlsMap(INBOX_ID_KEY, new Map([[creatorInboxId, encodeMembershipEntry(entry)]]))],
    // Empty rather than left out, as in a migrated group: libxmtp fails to read a text that is not there.
    [COMPONENT.groupName, utf8(group.name ?? "")],
    [COMPONENT.groupDescription, utf8(group.description ?? "")],
    [COMPONENT.groupImageUrl, utf8(group.imageUrl ?? "")],
    [COMPONENT.appData, utf8("")],
    [COMPONENT.minSupportedProtocolVersion, utf8(APP_DATA_PROTOCOL_VERSION)],
    [COMPONENT.creatorInboxId, encode(creatorInboxId, (writer, id) => INBOX_ID_KEY.write(writer, id))],
    [COMPONENT.conversationType, encode(ConversationType.GROUP, (writer, type) => writer.u32(type))],
  ]);
}

/**
 * The GroupContext extensions of a new group in the form that libxmtp's migration leads to: required capabilities, then
 * the app-data dictionary. Beside those, AppDataUpdate is required: no leaf can drop what every change needs. Beside
 * the components of a migration, EXTERNAL_COMMIT_POLICY is registered for super admins.
 */
export function newGroupExtensions(group: NewGroup): Extension[] {
  const required = encodeRequiredCapabilities({
    extensionTypes: [EXTENSION_TYPE.lastResort, EXTENSION_TYPE.applicationId, EXTENSION_TYPE.appDataDictionary],
    proposalTypes: [PROPOSAL_TYPE.group_context_extensions, PROPOSAL_TYPE.app_data_update],
    credentialTypes: [CREDENTIAL_TYPE.basic],
  });
  return [
    { type: EXTENSION_TYPE.requiredCapabilities, data: required },
    { type: EXTENSION_TYPE.appDataDictionary, data: encodeAppDataDictionary(newAppData(group)) },
  ];
}
