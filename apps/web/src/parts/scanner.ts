import { startWorker } from "../worker-addresses.ts";
import type { ScanRequest } from "../workers/scan.ts";

/** Longest side of a frame or picture in which codes are looked for, in pixels. */
const MAX_SIDE = { frame: 960, still: 2_000 } as const;

/** Pause between two frames, in milliseconds: a camera that is held still needs no more. */
const FRAME_MS = 150;

/** The reader that some browsers bring. */
interface Detector {
  detect(source: CanvasImageSource): Promise<readonly { readonly rawValue: string }[]>;
}

type DetectorClass = new (options: { readonly formats: readonly string[] }) => Detector;

function systemDetector(): Detector | undefined {
  const { BarcodeDetector } = globalThis as { readonly BarcodeDetector?: DetectorClass };
  try {
    return BarcodeDetector && new BarcodeDetector({ formats: ["qr_code"] });
  } catch {
    // Some systems name it and cannot read this kind.
    return undefined;
  }
}

/** Looks for codes by the camera and in pictures: by the browser's own reader, then by two others in a worker. */
export class Scanner {
  readonly #detector = systemDetector();
  readonly #canvas = document.createElement("canvas");
  #worker: Worker | undefined;
  #stream: MediaStream | undefined;
  #isClosed = false;

  /** Watches the camera until `found` takes what it sees. Rejects when there is no camera for this page. */
  async watch(video: HTMLVideoElement, found: (codes: readonly string[]) => boolean): Promise<void> {
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
    video.srcObject = this.#stream;
    await video.play();
    while (!this.#isClosed) {
      const codes = await this.#codes(video, video.videoWidth, video.videoHeight, false).catch(() => []);
      if (codes.length > 0 && found(codes)) break;
      await new Promise((resolve) => setTimeout(resolve, FRAME_MS));
    }
    this.#stopCamera();
  }

  /** The texts of the codes in a picture. Rejects for a file that the browser shows not. */
  async read(picture: Blob): Promise<readonly string[]> {
    const bitmap = await createImageBitmap(picture);
    try {
      return await this.#codes(bitmap, bitmap.width, bitmap.height, true);
    } finally {
      bitmap.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#stopCamera();
    this.#worker?.terminate();
  }

  #stopCamera(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
  }

  async #codes(source: CanvasImageSource, width: number, height: number, isStill: boolean): Promise<readonly string[]> {
    if (width === 0 || height === 0) return [];
    const seen = (await this.#detector?.detect(source).catch(() => [])) ?? [];
    if (seen.length > 0) return seen.map(({ rawValue }) => rawValue);
    const scale = Math.min(1, MAX_SIDE[isStill ? "still" : "frame"] / Math.max(width, height));
    this.#canvas.width = Math.max(1, Math.round(width * scale));
    this.#canvas.height = Math.max(1, Math.round(height * scale));
    const context = this.#canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return [];
    // What is transparent is paper.
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.drawImage(source, 0, 0, this.#canvas.width, this.#canvas.height);
    const { data: pixels } = context.getImageData(0, 0, this.#canvas.width, this.#canvas.height);
    return this.#ask({ width: this.#canvas.width, height: this.#canvas.height, pixels, isStill });
  }

  #ask(request: ScanRequest): Promise<readonly string[]> {
    const worker = (this.#worker ??= startWorker("scan"));
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<readonly string[]>) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage(request, [request.pixels.buffer]);
    });
  }
}
