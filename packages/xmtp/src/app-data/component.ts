/** Component ids of XMTP in the app-data dictionary. */
export const COMPONENT = {
  componentRegistry: 0x8000,
  superAdminList: 0x8001,
  adminList: 0x8002,
  groupMembership: 0x8003,
  groupName: 0x8004,
  groupDescription: 0x8005,
  groupImageUrl: 0x8006,
  messageDisappearFromNs: 0x8007,
  messageDisappearInNs: 0x8008,
  appData: 0x8009,
  minSupportedProtocolVersion: 0x800a,
  commitLogSigner: 0x800b,
  externalCommitPolicy: 0x800c,
  oneshotMessage: 0xbffc,
  dmMembers: 0xbffd,
  creatorInboxId: 0xbffe,
  conversationType: 0xbfff,
} as const;

/** Components that may be inserted once and never changed: the upper ends of XMTP's and the applications' ranges. */
export function isImmutableComponent(componentId: number): boolean {
  return (componentId >= 0xbe00 && componentId <= 0xbfff) || (componentId >= 0xfd00 && componentId <= 0xfeff);
}

/** True within XMTP's range (8000–BFFF) and the applications' (C000–FEFF); below is IANA's, above is reserved. */
export function isUsableComponent(componentId: number): boolean {
  return componentId >= 0x8000 && componentId <= 0xfeff;
}

/** Components whose permission is fixed in code: super admins, and no registry entry can change that. */
export function isHardCodedComponent(componentId: number): boolean {
  return componentId === COMPONENT.componentRegistry || componentId === COMPONENT.superAdminList;
}
