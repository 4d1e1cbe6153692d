import { useRef, useState } from "preact/hooks";
import { Screen } from "../parts/layout.tsx";
import { go } from "../route.ts";
import { requireClient } from "../session.ts";
import { texts } from "../texts/index.ts";

/** Starts a group; somebody new gets an identity with it. */
export function NewGroup() {
  const t = texts();
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const input = useRef<HTMLInputElement>(null);
  // The same name of the call makes the same group, however often it is pressed.
  const callId = useRef(crypto.randomUUID());
  const create = async (): Promise<void> => {
    const name = input.current?.value.trim() ?? "";
    setBusy(true);
    setFailure(undefined);
    try {
      const client = await requireClient();
      const group = await client.conversations.createGroup(name, { idempotencyKey: callId.current });
      go(`/g/${group.id}/invite`, { replace: true });
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <Screen title={t.newGroup} back="/">
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy) void create();
        }}
      >
        <label for="group-name">{t.groupName}</label>
        <input id="group-name" ref={input} maxLength={100} required autocomplete="off" dir="auto" />
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? t.loading : t.create}
        </button>
        {failure !== undefined && (
          <p class="failure" role="alert">
            {failure}
          </p>
        )}
      </form>
    </Screen>
  );
}
