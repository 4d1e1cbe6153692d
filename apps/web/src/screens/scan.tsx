import { useEffect, useRef, useState } from "preact/hooks";
import { inspectInvite } from "@latchkey/client";
import { keepInvite } from "../arrival.ts";
import { Screen } from "../parts/layout.tsx";
import { Scanner } from "../parts/scanner.ts";
import { go } from "../route.ts";
import { texts } from "../texts/index.ts";

/** Opens an invite; says why a text is none. */
function openInvite(text: string): string | undefined {
  try {
    inspectInvite(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  keepInvite(text);
  go("/i");
  return undefined;
}

/** Finds an invite by camera, in a picture, or in a text. */
export function Scan() {
  const t = texts();
  const video = useRef<HTMLVideoElement>(null);
  const scanner = useRef<Scanner>(null);
  const [camera, setCamera] = useState<"off" | "on" | "none">("off");
  const [failure, setFailure] = useState<string>();
  const [text, setText] = useState("");
  const [isOver, setOver] = useState(false);
  const found = (codes: readonly string[], nothing: string): boolean => {
    if (codes.length === 0) {
      setFailure(nothing);
      return false;
    }
    const reasons = codes.map(openInvite);
    if (reasons.includes(undefined)) return true;
    setFailure(reasons[0] ?? t.notInvite);
    return false;
  };
  useEffect(() => {
    scanner.current = new Scanner();
    return () => scanner.current?.close();
  }, []);
  const useCamera = (): void => {
    const screen = video.current;
    if (screen === null) return;
    setCamera("on");
    setFailure(undefined);
    scanner.current?.watch(screen, (codes) => found(codes, "")).catch(() => setCamera("none"));
  };
  const readPicture = async (file: Blob | undefined): Promise<void> => {
    if (file === undefined) return;
    setFailure(undefined);
    const codes = await scanner.current?.read(file).catch(() => []);
    found(codes ?? [], t.noCode);
  };
  return (
    <Screen title={t.scanTitle} back="/">
      <div
        class={`scan ${isOver ? "over" : ""}`}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          const { files = [] } = event.dataTransfer ?? {};
          const dropped = event.dataTransfer?.getData("text/plain") ?? "";
          if (files[0] !== undefined) void readPicture(files[0]);
          else if (dropped !== "") setFailure(openInvite(dropped));
        }}
      >
        <div class="viewfinder">
          <video ref={video} playsInline muted hidden={camera !== "on"} aria-label={t.scanText} />
          {camera !== "on" && (
            <button type="button" class="primary" onClick={useCamera}>
              {t.startCamera}
            </button>
          )}
        </div>
        <p class="small" role="status">
          {camera === "none" ? t.noCamera : t.scanText}
        </p>
        <label class="button">
          {t.choosePicture}
          <input
            type="file"
            accept="image/*"
            class="hidden"
            onChange={(event) => void readPicture(event.currentTarget.files?.[0])}
          />
        </label>
        <form
          class="form"
          onSubmit={(event) => {
            event.preventDefault();
            setFailure(openInvite(text));
          }}
        >
          <label for="link">{t.pasteLink}</label>
          <textarea
            id="link"
            rows={3}
            value={text}
            spellcheck={false}
            autocomplete="off"
            onInput={(event) => setText(event.currentTarget.value)}
            onPaste={(event) => {
              const [picture] = event.clipboardData?.files ?? [];
              if (picture !== undefined) void readPicture(picture);
            }}
          />
          <button type="submit" disabled={text.trim() === ""}>
            {t.open}
          </button>
        </form>
        {failure !== undefined && failure !== "" && (
          <p class="failure" role="alert">
            {failure}
          </p>
        )}
      </div>
    </Screen>
  );
}
