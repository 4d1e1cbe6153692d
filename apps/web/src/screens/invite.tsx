import type { JoinProgress, JoinStep, UncheckedPreview } from "@latchkey/client";
import { inviteEndOf, type InviteEndState } from "@latchkey/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { dropInvite, keptInvite } from "../arrival.ts";
import { LinkCode } from "../parts/code.tsx";
import { Avatar, Mark, Notice } from "../parts/layout.tsx";
import { groupName } from "../parts/names.ts";
import { go } from "../route.ts";
import { requireClient, useSession } from "../session.ts";
import { count, dateText, fill, texts } from "../texts/index.ts";
import { startWorker } from "../worker-addresses.ts";
import type { LookAnswer, LookRequest } from "../workers/look.ts";

/** How opening the invite ended; `groupId` where there is a group to open. */
interface End {
  readonly state: InviteEndState;
  readonly groupId?: string | undefined;
  readonly message?: string;
}

/** Looks at an invite, without identity and without a word to anybody but its service. */
function useLook(invite: string | undefined, attempt: number): LookAnswer | undefined {
  const [answer, setAnswer] = useState<LookAnswer>();
  useEffect(() => {
    setAnswer(undefined);
    if (invite === undefined) return undefined;
    const worker = startWorker("look");
    worker.onmessage = ({ data }: MessageEvent<LookAnswer>) => setAnswer(data);
    worker.onerror = ({ message }) => setAnswer({ kind: "end", end: "not-supported", code: undefined, message });
    worker.postMessage({ invite, inviteServiceUrl: location.origin } satisfies LookRequest);
    return () => worker.terminate();
  }, [invite, attempt]);
  return answer;
}

/** An invite: what it leads to, and the way in. */
export function InviteScreen() {
  const t = texts();
  const [invite] = useState(keptInvite);
  const [attempt, setAttempt] = useState(0);
  const [end, setEnd] = useState<End>();
  const [isJoining, setJoining] = useState(false);
  const look = useLook(invite, attempt);
  if (invite === undefined) {
    return (
      <Notice title={t.noInvite} text={t.noInviteText} button={{ text: t.scan, press: () => go("/scan") }} back="/" />
    );
  }
  const again = () => {
    setEnd(undefined);
    setJoining(false);
    setAttempt(attempt + 1);
  };
  if (end !== undefined) return <EndScreen end={end} again={again} />;
  if (look?.kind === "end") return <EndScreen end={{ state: look.end, message: look.message }} again={again} />;
  if (look !== undefined && isJoining) return <Joining invite={invite} preview={look.preview} onEnd={setEnd} />;
  return <Preview invite={invite} preview={look?.preview} join={() => setJoining(true)} />;
}

interface PreviewProps {
  readonly invite: string;
  readonly preview: UncheckedPreview | undefined;
  readonly join: () => void;
}

function Preview({ invite, preview, join }: PreviewProps) {
  const t = texts();
  const [isShown, setShown] = useState(false);
  const { kind } = useSession();
  const name = groupName(preview?.name);
  const { expiresAtNs, usesLeft, memberCount, description, exposed, serviceUrl } = preview ?? {};
  return (
    <div class="screen notice">
      <main class="sheet" aria-busy={preview === undefined}>
        <p class="above">{t.inviteTo}</p>
        {preview === undefined ? <Mark /> : <Avatar id={idOf(preview)} name={name} large />}
        <h1 tabIndex={-1} dir="auto">
          {preview === undefined ? t.loading : name}
        </h1>
        {description !== undefined && description !== "" && (
          <p class="description" dir="auto">
            {description}
          </p>
        )}
        {memberCount !== undefined && (
          <p class="facts">
            <span>{count(t.members, memberCount)}</span>
            {usesLeft !== undefined && <span>{count(t.usesLeft, usesLeft)}</span>}
            {expiresAtNs !== undefined && <span>{fill(t.expires, { date: dateText(expiresAtNs) })}</span>}
          </p>
        )}
        {exposed === true && <p class="warning">{t.exposed}</p>}
        <button type="button" class="primary" disabled={preview === undefined || kind === "looking"} onClick={join}>
          {t.join}
        </button>
        <button type="button" class="plain" aria-expanded={isShown} onClick={() => setShown(!isShown)}>
          {t.otherDevice}
        </button>
        {isShown && (
          <div>
            <LinkCode link={invite} label={t.otherDevice} />
            <p class="small">{t.otherDeviceText}</p>
          </div>
        )}
        <button
          type="button"
          class="plain"
          onClick={() => {
            dropInvite();
            go("/", { replace: true });
          }}
        >
          {t.notNow}
        </button>
        <p class="small">
          {t.unchecked} {serviceUrl !== undefined && fill(t.seen, { host: location.host })}
        </p>
      </main>
    </div>
  );
}

/** Ids follow from the members, as a preview has no id of its group. */
function idOf({ members }: UncheckedPreview): string {
  return members[0]?.inboxId ?? "0000";
}

const STEPS: readonly JoinStep[] = ["fetching", "checking", "preparing", "publishing", "reading-back", "following-up"];

interface JoiningProps {
  readonly invite: string;
  readonly preview: UncheckedPreview;
  readonly onEnd: (end: End) => void;
}

interface StepTime {
  readonly step: "identity" | JoinStep;
  readonly atMs: number;
}

function Joining({ invite, preview, onEnd }: JoiningProps) {
  const t = texts();
  const stop = useRef(new AbortController());
  const [steps, setSteps] = useState<readonly StepTime[]>([{ step: "identity", atMs: performance.now() }]);
  useEffect(() => {
    const { signal } = stop.current;
    const onProgress = ({ step }: JoinProgress) =>
      setSteps((before) => [...before.filter((one) => one.step !== step), { step, atMs: performance.now() }]);
    const run = async (): Promise<End> => {
      const client = await requireClient();
      if (signal.aborted) return { state: "cancelled" };
      const group = await client.conversations.joinByInvite(invite, { signal, onProgress });
      const view = await group.view();
      return { state: view?.status === "pending" ? "joined-unconfirmed" : "joined", groupId: group.id };
    };
    run().then(
      (end) => {
        dropInvite();
        // Nothing is left to be said: the group opens.
        if (end.groupId === undefined) onEnd(end);
        else go(`/g/${end.groupId}`, { replace: true });
      },
      (error: unknown) => {
        const { data = {} } = error as { readonly data?: Readonly<Record<string, unknown>> };
        const groupId = typeof data["groupId"] === "string" ? data["groupId"] : undefined;
        const state = inviteEndOf(error);
        if (state === "already-in") dropInvite();
        onEnd({ state, groupId, message: error instanceof Error ? error.message : String(error) });
      },
    );
    return () => stop.current.abort();
  }, []);
  const waits = steps.some(({ step }) => step === "waiting");
  const all: readonly StepTime["step"][] = [
    "identity",
    ...STEPS.slice(0, 3),
    ...(waits ? ["waiting" as const] : []),
    ...STEPS.slice(3),
  ];
  return (
    <div class="screen notice">
      <main class="sheet">
        <Avatar id={idOf(preview)} name={groupName(preview.name)} large />
        <h1 tabIndex={-1} dir="auto">
          {fill(t.joining, { name: groupName(preview.name) })}
        </h1>
        <ol class="steps" aria-live="polite">
          {all.map((step) => (
            <Step key={step} step={step} steps={steps} />
          ))}
        </ol>
        <button type="button" class="plain" onClick={() => stop.current.abort()}>
          {t.cancel}
        </button>
      </main>
    </div>
  );
}

function Step({ step, steps }: { readonly step: StepTime["step"]; readonly steps: readonly StepTime[] }) {
  const t = texts();
  const index = steps.findIndex((one) => one.step === step);
  const [begun, next] = [steps[index], steps[index + 1]];
  const state = begun === undefined ? "later" : next === undefined ? "now" : "done";
  const took = begun !== undefined && next !== undefined ? (next.atMs - begun.atMs) / 1000 : undefined;
  return (
    <li class={state} aria-current={state === "now" ? "step" : undefined}>
      <span>{step === "identity" ? t.identityStep : t.steps[step]}</span>
      {took !== undefined && <span class="took">{fill(t.seconds, { n: took.toFixed(1) })}</span>}
    </li>
  );
}

function EndScreen({ end, again }: { readonly end: End; readonly again: () => void }) {
  const t = texts();
  const { text, button } = t.ends[end.state];
  const press = (): void => {
    if (end.groupId !== undefined) {
      go(`/g/${end.groupId}`, { replace: true });
      return;
    }
    switch (end.state) {
      case "full":
      case "expired":
      case "revoked":
      case "off":
      case "other-service":
      case "joined":
      case "joined-unconfirmed":
      case "already-in":
        dropInvite();
        go("/", { replace: true });
        return;
      case "damaged-link":
        dropInvite();
        go("/scan", { replace: true });
        return;
      case "too-many-devices":
        go("/devices");
        return;
      case "not-supported":
        location.reload();
        return;
      default:
        again();
    }
  };
  return (
    <div class="screen notice">
      <main class="sheet" data-end={end.state}>
        <Mark />
        <h1 tabIndex={-1}>{text}</h1>
        {end.message !== undefined && end.groupId === undefined && (
          <details class="small">
            <summary>{t.details}</summary>
            {end.message}
          </details>
        )}
        <button type="button" class="primary" onClick={press}>
          {button}
        </button>
      </main>
    </div>
  );
}
