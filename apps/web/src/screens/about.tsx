import type { WebClient, WebGroup } from "@latchkey/client/web";
import { useState } from "preact/hooks";
import { Avatar, Link, Screen } from "../parts/layout.tsx";
import { groupName, memberName } from "../parts/names.ts";
import { isSuper } from "../parts/roles.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { WithClient } from "../parts/with-client.tsx";
import { go } from "../route.ts";
import { count, fill, texts } from "../texts/index.ts";

/** A group: its members, and what can be done with it. */
export function About({ id }: { readonly id: string }) {
  return <WithClient>{(client) => <Facts client={client} group={client.conversations.get(id)} />}</WithClient>;
}

function Facts({ client, group }: { readonly client: WebClient; readonly group: WebGroup }) {
  const t = texts();
  const [failure, setFailure] = useState<string>();
  const loaded = useLoaded(async () => ({ view: await group.view(), members: await group.members() }), group.id);
  const { view, members = [] } = loaded ?? {};
  const isOwner = members.some(({ inboxId, permission }) => inboxId === client.inboxId && isSuper(permission));
  const attempt = async (action: () => Promise<void>, then?: string): Promise<void> => {
    setFailure(undefined);
    try {
      await action();
      if (then !== undefined) go(then, { replace: true });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <Screen title={t.groupInfo} back={`/g/${group.id}`}>
      {view !== undefined && (
        <section class="card center">
          <Avatar id={view.id} name={groupName(view.name)} large />
          <h2 dir="auto">{groupName(view.name)}</h2>
          {view.description !== undefined && <p dir="auto">{view.description}</p>}
          <p class="small">{count(t.members, view.memberCount)}</p>
          {isOwner && (
            <Link to={`/g/${group.id}/invite`} class="button">
              {t.invite}
            </Link>
          )}
        </section>
      )}
      {isOwner && view !== undefined && (
        <Rename name={view.name ?? ""} save={(name) => attempt(() => group.updateName(name))} />
      )}
      {failure !== undefined && (
        <p class="failure" role="alert">
          {failure}
        </p>
      )}
      <ul class="list">
        {members.map(({ inboxId, permission, joinedByInvite }) => {
          const name = memberName(inboxId, client.inboxId);
          const role = isSuper(permission) ? t.superAdmin : permission === "admin" ? t.admin : undefined;
          return (
            <li key={inboxId} class="row">
              <Avatar id={inboxId} name={inboxId} />
              <span class="row-text">
                <span class="row-name">{name}</span>
                <span class="row-below">{role ?? (joinedByInvite ? t.joinedByInvite : "")}</span>
              </span>
              {isOwner && inboxId !== client.inboxId && (
                <button
                  type="button"
                  class="plain"
                  aria-label={`${t.remove}: ${name}`}
                  onClick={() => {
                    if (confirm(fill(t.removeText, { name }))) void attempt(() => group.removeMember(inboxId));
                  }}
                >
                  {t.remove}
                </button>
              )}
            </li>
          );
        })}
      </ul>
      <section class="card">
        {view?.isActive === true && (
          <>
            <button type="button" onClick={() => void attempt(() => group.leave(), "/")}>
              {t.leave}
            </button>
            <p class="small">{t.leaveText}</p>
          </>
        )}
        <button type="button" class="danger" onClick={() => void attempt(() => group.forget(), "/")}>
          {t.forget}
        </button>
      </section>
    </Screen>
  );
}

function Rename({ name, save }: { readonly name: string; readonly save: (name: string) => Promise<void> }) {
  const t = texts();
  const [text, setText] = useState(name);
  return (
    <form
      class="form inline"
      onSubmit={(event) => {
        event.preventDefault();
        void save(text.trim());
      }}
    >
      <label for="name">{t.groupName}</label>
      <input
        id="name"
        value={text}
        maxLength={100}
        dir="auto"
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <button type="submit" disabled={text.trim() === name || text.trim() === ""}>
        {t.save}
      </button>
    </form>
  );
}
