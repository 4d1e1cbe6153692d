import type { GroupView, MessageView, WebClient, WebGroup } from "@latchkey/client/web";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Avatar, Icon, Link, Screen } from "../parts/layout.tsx";
import { groupName, memberName, oneLine } from "../parts/names.ts";
import { markRead } from "../parts/read-marks.ts";
import { isSuper } from "../parts/roles.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { WithClient } from "../parts/with-client.tsx";
import { count, dateText, fill, texts } from "../texts/index.ts";

/** A message of this tab that has not come back from the group. */
interface Draft {
  /** Names the send, so that it happens once. */
  readonly key: string;
  readonly text: string;
  readonly replyTo: string | undefined;
  readonly state: "sending" | "waiting" | "failed";
}

interface Loaded {
  readonly view: GroupView | undefined;
  readonly messages: readonly MessageView[];
  readonly queued: readonly { readonly id: string; readonly text: string | undefined; readonly state: string }[];
}

/** A group with its messages. */
export function GroupScreen({ id }: { readonly id: string }) {
  return <WithClient>{(client) => <Talk client={client} group={client.conversations.get(id)} />}</WithClient>;
}

function Talk({ client, group }: { readonly client: WebClient; readonly group: WebGroup }) {
  const t = texts();
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);
  const [replyTo, setReplyTo] = useState<MessageView>();
  const loaded = useLoaded(async (): Promise<Loaded> => {
    const view = await group.view();
    if (view === undefined) return { view, messages: [], queued: [] };
    return { view, messages: await group.messages(), queued: await group.queue() };
  }, group.id);
  const last = loaded?.messages.at(-1)?.sequenceId;
  useEffect(() => {
    if (last !== undefined) markRead(group.id, last);
  }, [last]);
  const change = (key: string, state: Draft["state"] | undefined): void =>
    setDrafts((before) =>
      before.flatMap((draft) => (draft.key !== key ? [draft] : state === undefined ? [] : [{ ...draft, state }])),
    );
  const send = async (draft: Draft): Promise<void> => {
    try {
      const { key: idempotencyKey, replyTo: reference } = draft;
      await group.send(draft.text, { idempotencyKey, ...(reference === undefined ? {} : { replyTo: reference }) });
      change(draft.key, undefined);
    } catch (error) {
      // A message that is queued is shown as such by the group itself.
      const { data = {} } = error as { readonly data?: Readonly<Record<string, unknown>> };
      change(draft.key, data["queued"] === true ? undefined : "failed");
    }
  };
  const begin = (text: string): void => {
    const draft: Draft = { key: crypto.randomUUID(), text, replyTo: replyTo?.id, state: "sending" };
    setDrafts((before) => [...before, draft]);
    setReplyTo(undefined);
    void send(draft);
  };
  const again = (draft: Draft): void => {
    change(draft.key, "sending");
    void send(draft);
  };
  const { view, messages = [], queued = [] } = loaded ?? {};
  const name = view === undefined ? t.loading : groupName(view.name);
  const actions = view && (
    <>
      {isSuper(view.permission) || view.hasInvite ? (
        <Link to={`/g/${group.id}/invite`} class="icon-button" label={t.invite}>
          <Icon name="invite" />
        </Link>
      ) : null}
      <Link to={`/g/${group.id}/about`} class="icon-button" label={t.groupInfo}>
        <Icon name="info" />
      </Link>
    </>
  );
  return (
    <Screen title={name} back="/" actions={actions} class="talk">
      {view?.status === "pending" && <p class="strip">{t.waitsForProof}</p>}
      <Timeline messages={messages} ownId={client.inboxId} reply={setReplyTo}>
        {queued.map(({ id, text, state }) => (
          <Own key={id} text={text ?? ""} note={state === "failed" ? t.failed : t.waiting} />
        ))}
        {drafts.map((draft) => (
          <Own
            key={draft.key}
            text={draft.text}
            note={draft.state === "failed" ? t.failed : t.sending}
            retry={draft.state === "failed" ? () => again(draft) : undefined}
          />
        ))}
      </Timeline>
      {view !== undefined && !view.isActive ? (
        <p class="strip">{t.removed}</p>
      ) : (
        <Composer
          id={group.id}
          name={name}
          send={begin}
          answered={replyTo && memberName(replyTo.senderInboxId, client.inboxId)}
          dropAnswer={() => setReplyTo(undefined)}
        />
      )}
      {view !== undefined && <p class="hidden">{count(t.members, view.memberCount)}</p>}
    </Screen>
  );
}

interface TimelineProps {
  readonly messages: readonly MessageView[];
  readonly ownId: string;
  readonly reply: (message: MessageView) => void;
  readonly children: preact.ComponentChildren;
}

/** Milliseconds after which a message of the same person has its name again. */
const PAUSE_NS = 300_000_000_000n;

function Timeline({ messages, ownId, reply, children }: TimelineProps) {
  const t = texts();
  const end = useRef<HTMLDivElement>(null);
  const last = messages.at(-1)?.id;
  useLayoutEffect(() => end.current?.scrollIntoView({ block: "end" }), [last, children]);
  const byId = new Map(messages.map((message) => [message.id, message]));
  return (
    <div class="timeline" role="log" aria-label={t.groups} tabIndex={0}>
      {messages.length === 0 && <p class="quiet-wait">{t.noMessages}</p>}
      {messages.map((message, index) => {
        const before = messages[index - 1];
        const isNewDay = before === undefined || dayOf(before) !== dayOf(message);
        const isSame =
          !isNewDay && before.senderInboxId === message.senderInboxId && message.sentAtNs - before.sentAtNs < PAUSE_NS;
        const answered = message.replyTo === undefined ? undefined : byId.get(message.replyTo);
        return (
          <div key={message.id}>
            {isNewDay && <p class="day">{dateText(message.sentAtNs, "short")}</p>}
            <Bubble message={message} answered={answered} isSame={isSame} ownId={ownId} reply={reply} />
          </div>
        );
      })}
      {children}
      <div ref={end} />
    </div>
  );
}

function dayOf({ sentAtNs }: MessageView): string {
  return new Date(Number(sentAtNs / 1_000_000n)).toDateString();
}

interface BubbleProps {
  readonly message: MessageView;
  readonly answered: MessageView | undefined;
  readonly isSame: boolean;
  readonly ownId: string;
  readonly reply: (message: MessageView) => void;
}

function Bubble({ message, answered, isSame, ownId, reply }: BubbleProps) {
  const t = texts();
  const { senderInboxId, sentAtNs, text } = message;
  const isOwn = senderInboxId === ownId;
  const name = memberName(senderInboxId, ownId);
  return (
    <article class={`message ${isOwn ? "own" : ""} ${isSame ? "same" : ""}`}>
      {!isOwn && !isSame && <Avatar id={senderInboxId} name={senderInboxId} />}
      <div class="bubble">
        {!isOwn && !isSame && <p class="sender">{name}</p>}
        {answered !== undefined && (
          <blockquote dir="auto">
            <span>{memberName(answered.senderInboxId, ownId)}</span> {oneLine(answered.text ?? "…")}
          </blockquote>
        )}
        <p class="words" dir="auto">
          {text ?? t.unknownContent}
        </p>
        <time class="when">{dateText(sentAtNs, "time")}</time>
      </div>
      <button
        type="button"
        class="icon-button answer"
        aria-label={`${t.reply}: ${name}`}
        onClick={() => reply(message)}
      >
        <Icon name="reply" />
      </button>
    </article>
  );
}

function Own({
  text,
  note,
  retry,
}: {
  readonly text: string;
  readonly note: string;
  readonly retry?: (() => void) | undefined;
}) {
  return (
    <article class="message own waiting">
      <div class="bubble">
        <p class="words" dir="auto">
          {text}
        </p>
        <span class="when">{note}</span>
      </div>
      {retry !== undefined && (
        <button type="button" class="plain" onClick={retry}>
          {texts().retry}
        </button>
      )}
    </article>
  );
}

interface ComposerProps {
  readonly id: string;
  readonly name: string;
  readonly send: (text: string) => void;
  readonly answered: string | undefined;
  readonly dropAnswer: () => void;
}

/** Longest text of one message, in characters. */
const MAX_TEXT = 20_000;

function Composer({ id, name, send, answered, dropAnswer }: ComposerProps) {
  const t = texts();
  const kept = `latchkey-draft-${id}`;
  const [text, setText] = useState(sessionStorage.getItem(kept) ?? "");
  const input = useRef<HTMLTextAreaElement>(null);
  const write = (next: string): void => {
    setText(next);
    // What was typed outlives a reload.
    sessionStorage.setItem(kept, next);
  };
  useLayoutEffect(() => {
    const area = input.current;
    if (area === null) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 160)}px`;
  }, [text]);
  useEffect(() => {
    if (answered !== undefined) input.current?.focus();
  }, [answered]);
  const submit = (): void => {
    const said = text.trim();
    if (said === "") return;
    write("");
    send(said);
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {answered !== undefined && (
        <p class="answering">
          {fill(t.replyingTo, { name: answered })}
          <button type="button" class="icon-button" aria-label={t.cancel} onClick={dropAnswer}>
            <Icon name="close" />
          </button>
        </p>
      )}
      <textarea
        ref={input}
        rows={1}
        value={text}
        maxLength={MAX_TEXT}
        aria-label={fill(t.messageTo, { name })}
        placeholder={fill(t.messageTo, { name })}
        dir="auto"
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          submit();
        }}
      />
      <button type="submit" class="icon-button send" aria-label={t.send} disabled={text.trim() === ""}>
        <Icon name="send" />
      </button>
    </form>
  );
}
