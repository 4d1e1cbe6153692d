import type { GroupView, WebClient } from "@latchkey/client/web";
import { Avatar, Icon, Link, Mark, Notice, Screen } from "../parts/layout.tsx";
import { groupName, memberName, oneLine } from "../parts/names.ts";
import { Languages } from "../parts/languages.tsx";
import { newMessages } from "../parts/read-marks.ts";
import { useLoaded } from "../parts/use-loaded.ts";
import { beginAnew, openExisting, useSession } from "../session.ts";
import { count, dateText, texts } from "../texts/index.ts";

/** The groups, or the way in for somebody new. */
export function Home() {
  const { kind, client, message } = useSession();
  const t = texts();
  if (client !== undefined) return <Groups client={client} />;
  if (kind === "forgotten") {
    return <Notice title={t.forgottenTitle} text={t.forgottenText} button={{ text: t.beginAnew, press: beginAnew }} />;
  }
  if (kind === "failed") {
    const retry = { text: t.retry, press: () => void openExisting() };
    return <Notice title={t.failedTitle} text={message ?? ""} button={retry} />;
  }
  return <Welcome />;
}

function Welcome() {
  const t = texts();
  return (
    <div class="screen notice">
      <main class="sheet">
        <Mark />
        <h1 tabIndex={-1}>{t.welcomeTitle}</h1>
        <p>{t.welcomeText}</p>
        <Link to="/scan" class="button primary">
          {t.scan}
        </Link>
        <Link to="/new" class="button">
          {t.startGroup}
        </Link>
      </main>
      <Languages />
    </div>
  );
}

function Groups({ client }: { readonly client: WebClient }) {
  const t = texts();
  const groups = useLoaded(() => client.conversations.list());
  const actions = (
    <>
      <Link to="/scan" class="icon-button" label={t.scan}>
        <Icon name="scan" />
      </Link>
      <Link to="/devices" class="icon-button" label={t.devices}>
        <Icon name="device" />
      </Link>
      <Link to="/new" class="icon-button" label={t.newGroup}>
        <Icon name="plus" />
      </Link>
    </>
  );
  const newest = [...(groups ?? [])].sort((one, other) => (lastNs(one) > lastNs(other) ? -1 : 1));
  return (
    <Screen title={t.groups} actions={actions}>
      {groups?.length === 0 && (
        <div class="empty">
          <h2>{t.noGroups}</h2>
          <p>{t.noGroupsText}</p>
          <Link to="/scan" class="button primary">
            {t.scan}
          </Link>
        </div>
      )}
      <ul class="list">
        {newest.map((group) => (
          <Row key={group.id} group={group} ownId={client.inboxId} />
        ))}
      </ul>
    </Screen>
  );
}

function lastNs({ lastMessage }: GroupView): bigint {
  return lastMessage?.sentAtNs ?? 0n;
}

function Row({ group, ownId }: { readonly group: GroupView; readonly ownId: string }) {
  const t = texts();
  const { id, lastMessage, isActive, status } = group;
  const name = groupName(group.name);
  const unread = newMessages(group, ownId);
  const said = lastMessage && `${memberName(lastMessage.senderInboxId, ownId)}: ${oneLine(lastMessage.text ?? "…")}`;
  const below = !isActive ? t.removed : status === "pending" ? t.waitsForProof : (said ?? t.noMessages);
  return (
    <li>
      <Link to={`/g/${id}`} class="row">
        <Avatar id={id} name={name} />
        <span class="row-text">
          <span class="row-name" dir="auto">
            {name}
          </span>
          <span class="row-below" dir="auto">
            {below}
          </span>
        </span>
        <span class="row-side">
          {lastMessage !== undefined && <time>{dateText(lastMessage.sentAtNs, "short")}</time>}
          {unread > 0 && (
            <span class="badge" aria-label={count(t.unread, unread)}>
              {unread}
            </span>
          )}
        </span>
      </Link>
    </li>
  );
}
