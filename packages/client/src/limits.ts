/** Every bound of the client, with its reason. */
export const CLIENT_LIMITS = {
  /** Blobs of one slot that are looked at: the service keeps 8, so more is somebody wasting our time. */
  maxCandidates: 8,
  /**
   * Credentials of earlier keys that are tried at a slot, a request each: so many times may its key be replaced, as by
   * removals one after the other, while its service is down.
   */
  maxSlotCredentials: 16,
  /** Times an upload begins anew because the group moved on meanwhile: then others upload as well. */
  maxUploadRounds: 8,
  /** Largest slot answer that is read: eight blobs of groups of 10 000 members. */
  maxSlotBytes: 32 * 1024 * 1024,
  /** What a service states of itself, in bytes, and how long an invite waits for it, in milliseconds. */
  maxDescriptionBytes: 16_384,
  describeTimeoutMs: 3_000,
  /** Texts that are searched for a link: a long e-mail. */
  maxInviteTextCharacters: 65_536,
  /** Image files that are searched for a QR code. */
  maxImageBytes: 32 * 1024 * 1024,
  /** A side of such an image, and its pixels: phones take 64 megapixels of at most 9 300 × 7 000. */
  maxImageSide: 16_384,
  maxImagePixels: 72_000_000,
  /** Bytes that a PNG file takes once unpacked: a screenshot of 64 megapixels in four bytes each. */
  maxInflatedBytes: 288_000_000,
  /** Pixels in which a code is looked for: larger pictures are averaged, which no code that phones read falls victim to. */
  maxLumaPixels: 16_000_000,
  /** Scans of a JPEG: progressive ones have about ten, and some encoders write a few more. */
  maxJpegScans: 32,
  /** Time for one picture in milliseconds: a phone's photo without a code takes about three seconds on a slow machine. */
  pictureTimeoutMs: 10_000,
  /**
   * Times that a worker asks for the files of a database, and the pause between them, in milliseconds: browsers free the
   * files of a worker that was killed within a second.
   */
  maxOpfsAttempts: 60,
  opfsPauseMs: 50,
  /** Inboxes or installations looked up in one call: an answer of 1 MB for ordinary logs, below what any node takes. */
  lookUpKeys: 500,
  /** Envelopes asked for at once: the page size of XMTP clients. */
  pageSize: 100,
  /** Envelopes of one group's log that are looked through to learn who was first. */
  maxLogScan: 1_000_000,
  /** Times a member's commit is rebuilt after others came first: XMTP gives up after 3, contention wants a few more. */
  maxCommitAttempts: 8,
  /** Messages of one group that wait or failed, those of a day without network; each is up to 1 MB on disk. */
  maxQueuedMessages: 512,
  /** Bytes of a caller's idempotency key: a UUID has 36, a URL of the caller fits as well. */
  maxIdempotencyKeyBytes: 256,
  /** Envelopes behind one that waits in which an own message is looked for: two minutes of a group that is never still. */
  maxLookAhead: 10_000,
  /** Times a sent message is looked for in the log before the node counts as unreachable. */
  maxReadBackAttempts: 8,
  /** One call over the network, in milliseconds. */
  callTimeoutMs: 15_000,
  /** How long the opening of a registered installation waits to learn the node's time, in milliseconds. */
  clockCheckTimeoutMs: 3_000,
  /** Whole join, in milliseconds, unless the caller says otherwise. */
  joinTimeoutMs: 60_000,
  /** How long a join waits for a fresh blob while the group's log stands still, in milliseconds. */
  staleGraceMs: 5_000,
  /** In a crowd that joins by one invite: pause between two looks at the log for each one ahead, and at most, in ms. */
  turnPollMs: 40,
  maxTurnPollMs: 1_000,
  /** People ahead that a service can claim: so many joined by one code at once in a measured crowd. */
  maxAhead: 250,
  /** How long a crowd waits for one who does not join when it is its turn, in milliseconds. */
  turnPatienceMs: 1_000,
  /** Commits of other joiners that are remembered while a join waits: a crowd of 250, each commit beaten by some. */
  maxSeenCommits: 8_192,
  /** Shortest time between two receipts of one member in one group, in milliseconds: one covers all joins before it. */
  receiptIntervalMs: 10_000,
  /**
   * Delay of a receipt in milliseconds: this long for the messages that come by themselves, and drawn from as long again
   * for each installation in the group, up to the longest: mostly one member answers and the others see it in time.
   */
  receiptSpreadMs: 200,
  maxReceiptDelayMs: 10_000,
  /**
   * Shortest time between two looks of one member at the slots of an invite because commits were refused, in
   * milliseconds, and its delay, as for receipts: what a look costs is a download of the slot, so that in a large group
   * it may take a minute.
   */
  contestIntervalMs: 10_000,
  contestSpreadMs: 200,
  maxContestDelayMs: 60_000,
  /**
   * Pauses between looks at the slot of a join that waits for a state of its group, in milliseconds: the first is that of
   * members, each is twice as long, and whoever does not want to wait for the longest joins again.
   */
  slotLookMs: 10_000,
  maxSlotLookMs: 300_000,
  /** Messages behind a join that waits in which a member's word is looked for: the first ones are of its epoch. */
  maxWordsRead: 1_000,
  /**
   * How long other super admins leave the renewal of an invite to the one that began it, in milliseconds: ten times what
   * it takes on a slow line. Then each waits for a time drawn from a second for each installation, up to the longest.
   */
  renewalPatienceMs: 30_000,
  renewalSpreadMs: 1_000,
  maxRenewalSpreadMs: 300_000,
  /**
   * Delay before a listening installation adds own installations that were left out, drawn from up to so many milliseconds,
   * and the least time between two tries: each asks the node for key packages.
   */
  missingInstallationsSpreadMs: 5_000,
  missingInstallationsIntervalMs: 60_000,
  /** Times a call is repeated within a join when the network fails. */
  maxNetworkAttempts: 3,
  /** Back-off between attempts, in milliseconds: the first waits about one commit round trip, the last stays polite. */
  backoffBaseMs: 40,
  backoffCapMs: 5_000,
  /** Installations of an inbox, as XMTP clients hold them. */
  maxInstallations: 10,
  /** Bytes of a group's id: nodes take no longer topics, ours have 16. */
  maxGroupIdBytes: 64,
  /** Age up to which an identity log counts as read before a send or a commit, and in streams, in milliseconds. */
  identityFreshMs: 5_000,
  /**
   * Delay before an installation that listens follows its own inbox, drawn from up to so many milliseconds: several own
   * devices may listen, and one is enough.
   */
  followOwnSpreadMs: 2_000,
  /**
   * Who listens reads the members' logs after this time and up to the spread more, in milliseconds, and follows a
   * registration of another inbox after this time: a device of its own is to come first. Of many one mostly is enough.
   */
  followOthersMs: 30_000,
  followOthersSpreadMs: 60_000,
  /** Registrations of others are not followed for so long after a join, in nanoseconds: a crowd commits one by one. */
  joinPauseNs: 10_000_000_000n,
  /** How long a device that was just registered may be without a key package before it is listed as failed, in nanoseconds. */
  keyPackageGraceNs: 60_000_000_000n,
  /** Least time between two questions to slots because of hints, per group, in nanoseconds. */
  hintQuestionNs: 60_000_000_000n,
  /** Least time between two requests to be added again, and between two re-adds of one installation, in nanoseconds. */
  readdPauseNs: 86_400_000_000_000n,
  /** Histories that Welcomes claim for one group id, and for all together; the oldest without proof is dropped first. */
  maxClaimsPerGroup: 3,
  maxClaims: 64,
  /** Envelopes of claims that one synchronization reads. */
  maxClaimEnvelopes: 200,
  /** Gaps remembered per group, oldest dropped first: each is a return. */
  maxGaps: 64,
  /** Groups that one synchronization reads at once: as many requests as a node takes of one client without making it wait. */
  groupsAtOnce: 8,
  /** Groups whose being forgotten is remembered, oldest dropped first. */
  maxForgottenGroups: 4_096,
  /** Groups whose links were scanned by a device that is to be let in, oldest forgotten first. */
  maxWaitingDevices: 64,
  /** Refusals remembered per group, oldest dropped first. */
  maxRejections: 64,
  /**
   * Syncs in which a message has to fail by a defect of this program before it is set aside, and the shortest time between
   * two that count, in nanoseconds: long enough for a trouble of the machine to pass, short enough for people to wait.
   */
  maxDefectSyncs: 3n,
  defectIntervalNs: 60_000_000_000n,
  /** Messages of one log, or Welcomes, whose failures are counted, oldest dropped first: a log stops at one. */
  maxDefects: 64,
  /** Joins by invite remembered per group, the oldest quarter dropped first: all members of the largest group measured. */
  maxAdmissions: 10_000,
  /** Identity updates of one inbox that are replayed: nodes hold at most as many. */
  maxIdentityUpdates: 256,
  /**
   * Bytes of identity logs that are kept, on disk and in memory: those of 30 000 inboxes. Anybody can register inboxes and
   * name them in a group or a Welcome. When there are more, all are forgotten, and asked again from the node if needed.
   */
  maxIdentityBytes: 64 * 1024 * 1024,
  /**
   * Bytes of identity logs, with their verdicts, that one transaction keeps: an answer for the members of a large group, and
   * few enough to hold the event loop for some 20 ms.
   */
  identityBytesAtOnce: 1024 * 1024,
  /**
   * Members and signatures of all states of identity logs that are in memory, about 50 bytes each: every state of 30 000
   * usual inboxes. The logs read first make room for others.
   */
  maxIdentityEntries: 500_000,
  /**
   * Work on identity logs in one turn of the event loop, where an action counts 1 and a signature 16: four signatures take
   * 10 ms in a browser and block no message of somebody else.
   */
  identityWorkPerTurn: 64,
  identityWorkPerSignature: 16,
  /** Inboxes of which is remembered how far their logs were read, oldest forgotten first: then they are read again. */
  maxIdentityNotes: 4_096,
  /** Times of the node of which is remembered when they were seen, oldest forgotten first: those of envelopes that wait. */
  maxNodeStamps: 4_096,
  /** Age at which a key package is replaced: 30 of its 84 days, as XMTP does. */
  keyPackageRotationSeconds: 2_592_000n,
  /** How long a replaced key package still opens Welcomes, in nanoseconds: one day, as XMTP keeps it. */
  keyPackageRetentionNs: 86_400_000_000_000n,
  /** Key packages that were replaced and still open Welcomes, oldest deleted first: each sync with a Welcome leaves one. */
  maxRetiredKeyPackages: 256,
  /** Pointers to Welcomes that are not there yet: their senders store the Welcome first, so one is rare. */
  maxWaitingWelcomes: 64,
  /** Groups that cannot be opened and are shown to people, oldest forgotten first: anybody can make some. */
  maxUnsupportedGroups: 64,
  /** Mean time between two looks at the slots of invites, in milliseconds: an hour without the invite is bearable. */
  inviteCheckMs: 3_600_000,
  /** Mean time from the start of a client to its first look, in milliseconds: programs that do one thing are gone by then. */
  firstInviteCheckMs: 10_000,
  /** Looks at slots until one downloads and verifies what is there: once a day. */
  deepCheckEvery: 24,
  /** Transactions until deleted keys are gone from the write-ahead log too: few, for a synced write each. */
  maxLoggedTransactions: 32,
  /** Rest after which they are gone as well, in milliseconds. */
  emptyLogAfterMs: 1_000,
  /** Empty pages of 4096 bytes in a database that are worth giving back: 1 MiB. */
  minFreePages: 256,
  /** Longest time after which messages disappear, 100 years: the sum with any time of this century fits 63 bits. */
  maxDisappearNs: 36_525n * 86_400n * 1_000_000_000n,
  /** Elements of a list that a call is given: more than a group can have members. */
  maxArguments: 65_536,
  /** Longest timer of the platform in milliseconds: 24 days, above which it fires at once. */
  maxTimerMs: 2_147_483_647,
  /** Uses that an invite can be limited to: 32 bits in XIP-82's policy. */
  maxInviteUses: 4_294_967_295,
  /** Welcomes of one request, and their bytes: below what any node takes, and few to be sent again one by one. */
  welcomeBatch: 250,
  welcomeBatchBytes: 1024 * 1024,
  /** Times an upload or Welcome that failed for good is offered again before it is dropped. */
  maxFollowUpAttempts: 20,
  /** How long the code of a device can be used, in milliseconds: a person walks from one device to the other. */
  linkCodeMs: 120_000,
  /** How long the old device may take to sign and publish once the digits were typed: its wallet may ask a person. */
  linkSignMs: 120_000,
  /** How much longer the new device waits to see that in the identity log, in milliseconds: an update under way, and a node's
   * clock for identities that lags behind, as IDN-01 allows. */
  linkGraceMs: 60_000,
  /** Pauses between two looks at a box of a link, in milliseconds: the first, and the longest. */
  linkPollMs: 50,
  maxLinkPollMs: 1_000,
  /** How long a blob of a link stays at the service, in milliseconds: as long as both devices may take. */
  linkBlobMs: 300_000,
  /** How long a new device waits until the old one has added it to the groups, in milliseconds: some hundreds of them. */
  linkArrivalMs: 120_000,
  /** Groups that a linked device is added to at once: each commit waits for the node several times. */
  linkGroupsAtOnce: 4,
  /** Messages of each group that are brought to a linked device unless the caller says otherwise, and at most. */
  historyMessages: 100,
  maxHistoryMessages: 10_000,
  /** Bytes of messages in one part of the history: 1 MiB once it is padded. Parts under way, each until it is acknowledged. */
  historyPartBytes: 1024 * 1024 - 64,
  historyWindow: 4,
  /** Bytes of a history: a slot service stores them for five minutes. */
  maxHistoryBytes: 32 * 1024 * 1024,
  /** Bytes that the messages of a link are padded to: the service sees no difference between them. */
  linkMessageBytes: 1_024,
  /** How long a device tries to tell the other one that it has ended the link, in milliseconds. */
  linkFarewellMs: 3_000,
  /** Bytes of a service's address in the code of a device: it has to fit a QR code that is shown on a phone. */
  maxLinkServiceBytes: 255,
} as const;
