import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generate } from "lean-qr";
import { until } from "../engines/engine.ts";
import { hears, pageWorld, press, say, shows, write } from "../page-world.ts";
import type { Scenario } from "./scenario.ts";

/** Size of the camera's picture, and of a module in it, in pixels. */
const WIDTH = 640;
const HEIGHT = 480;
const MODULE = 8;

/** A video of one picture: the code of a text, as a camera would see it. YUV4MPEG2, which Chromium's camera takes. */
function videoOf(text: string): Uint8Array {
  const code = generate(text);
  const [left, top] = [WIDTH, HEIGHT].map((side) => Math.floor((side - code.size * MODULE) / 2));
  const luma = new Uint8Array(WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const [column, row] = [Math.floor((x - (left ?? 0)) / MODULE), Math.floor((y - (top ?? 0)) / MODULE)];
      luma[y * WIDTH + x] = code.get(column, row) ? 16 : 235;
    }
  }
  const colour = new Uint8Array((WIDTH * HEIGHT) / 2).fill(128);
  const head = `YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`;
  const frames = Array.from({ length: 3 }, () => [new TextEncoder().encode("FRAME\n"), luma, colour]).flat();
  return Buffer.concat([new TextEncoder().encode(head), ...frames]);
}

const camera: Scenario = {
  id: "WEB-09a",
  title: "from the code before the camera to a message that another program reads",
  cannot: {
    firefox: "its fake camera shows a picture of its own",
    webkit: "WebKitGTK's fake camera shows a picture of its own",
  },
  async run(world) {
    const { link, url, group } = await pageWorld(world);
    const folder = await mkdtemp(join(tmpdir(), "latchkey-camera-"));
    world.atEnd(() => rm(folder, { recursive: true }));
    const video = join(folder, "code.y4m");
    await writeFile(video, videoOf(link));
    const flags = [
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${video}`,
    ];
    const tab = await (await world.launch(flags)).newTab();
    await tab.goto(`${url}/scan`);
    await press(tab, "Use the camera");
    await press(tab, "Join");
    await until(tab, `document.querySelector(".composer") !== null`, "the group");
    await say(tab, "scanned");
    await hears(group, "scanned");
  },
};

const otherWays: Scenario = {
  id: "WEB-09b",
  title: "an invite is read from a pasted text, and from a picture that is pasted or dropped; others say why not",
  async run(world) {
    const { link, url, group } = await pageWorld(world);
    const tab = await (await world.launch()).newTab();
    await tab.goto(`${url}/scan`);
    await write(tab, "#link", "https://example.com/nothing");
    await press(tab, "Open");
    await until(tab, `document.querySelector("[role=alert]")?.innerText.length > 10`, "a reason");
    // A picture as another program copies it.
    const svg = (await group.invites.load())?.toQR("svg") ?? "";
    await tab.evaluate(`(async () => {
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([${JSON.stringify(svg)}], { type: "image/svg+xml" }));
      await image.decode();
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 400;
      canvas.getContext("2d").drawImage(image, 0, 0, 400, 400);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([blob], "code.png", { type: "image/png" }));
      document.querySelector(".scan").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    })()`);
    await until(tab, `location.pathname === "/i"`, "the invite");
    await shows(tab, "Reading circle");
    await press(tab, "Not now");
    await tab.goto(`${url}/scan`);
    await write(tab, "#link", `Come in: ${link} see you`);
    await press(tab, "Open");
    await press(tab, "Join");
    await until(tab, `document.querySelector(".composer") !== null`, "the group");
  },
};

/** Finding invites. */
export const SCAN_SCENARIOS: readonly Scenario[] = [camera, otherWays];
