import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inspectInvite } from "@latchkey/client";
import { readQrFromImage } from "@latchkey/client/node";
import { createNode } from "@latchkey/node";
import { createPrivateDir, writePrivateFile } from "../data-dir.ts";
import { terminalQr } from "../terminal-qr.ts";
import { shortId } from "../text.ts";
import { Device, newPerson } from "./device.ts";
import { stateOf, type DeviceState } from "./report.ts";
import type { Stage } from "./stage.ts";
import { Talk } from "./talk.ts";

/** Facts to judge when the story is over. */
export interface Ending {
  readonly states: readonly DeviceState[];
  readonly qrDecodedFromImage: boolean;
  readonly delivered: number;
  readonly expected: number;
}

interface Cast {
  readonly ada: Device;
  readonly ben: Device;
  readonly cleo: readonly [phone: Device, laptop: Device, tablet: Device];
  readonly dan: Device;
}

/** Plays the whole story in a directory; whatever has to be closed is handed to `closing`, last opened first closed. */
export async function playStory(stage: Stage, directory: string, closing: AsyncDisposableStack): Promise<Ending> {
  const nodeUrl = await startNode(stage, directory, closing);
  const cast = await register(stage, { directory, nodeUrl }, closing);
  const talk = new Talk();
  await createGroup(stage, cast, talk);
  const poster = await issueInvite(stage, cast, join(directory, "invite.png"));
  await goOffline(stage, cast);
  const qrDecodedFromImage = await joinWithThreeDevices(stage, cast, poster, talk);
  await joinSecond(stage, cast, poster, talk);
  await comeBack(stage, cast);
  const newPhone = await linkNewPhone(stage, cast, { directory, nodeUrl }, talk, closing);
  await revokeTablet(stage, cast, newPhone);
  const [phone, laptop] = cast.cleo;
  const left = [cast.ada, cast.ben, phone, laptop, newPhone, cast.dan];
  const { delivered, expected } = await talkTogether(stage, left, talk);
  return { states: left.map(stateOf), qrDecodedFromImage, delivered, expected };
}

function startNode(stage: Stage, directory: string, closing: AsyncDisposableStack): Promise<string> {
  return stage.step("start-node", "A node starts", async () => {
    const dataDir = join(directory, "node");
    await createPrivateDir(dataDir);
    const node = await createNode({ dataDir });
    closing.defer(() => node.close());
    stage.line(`   ${stage.style.dim(`${node.url}, SQLite in ${dataDir}`)}`);
    return node.url;
  });
}

type World = Readonly<{ directory: string; nodeUrl: string }>;

function register(stage: Stage, world: World, closing: AsyncDisposableStack): Promise<Cast> {
  return stage.step("register", "Four people register six devices", async () => {
    const cleo = newPerson("Cleo");
    const cast: Cast = {
      ada: new Device(newPerson("Ada"), "phone", world),
      ben: new Device(newPerson("Ben"), "phone", world),
      cleo: [new Device(cleo, "phone", world), new Device(cleo, "laptop", world), new Device(cleo, "tablet", world)],
      dan: new Device(newPerson("Dan"), "phone", world),
    };
    for (const device of [cast.ada, cast.ben, ...cast.cleo, cast.dan]) {
      closing.defer(() => device.goOffline());
      await device.goOnline();
      stage.line(`   ${device.name.padEnd(14)} ${stage.style.dim(`inbox ${shortId(device.client.inboxId)}…`)}`);
    }
    const inboxes = new Set(cast.cleo.map(({ client }) => client.inboxId));
    stage.check("Cleo's three devices are one inbox", inboxes.size === 1);
    return cast;
  });
}

function createGroup(stage: Stage, { ada, ben }: Cast, talk: Talk): Promise<void> {
  return stage.step("create-group", "Ada creates a group, adds Ben, and they talk", async () => {
    await ada.client.conversations.createGroup([ben.client.inboxId], { name: "Courtyard party" });
    await ben.sync();
    await talk.say(ada, "Hi Ben, I will put up a poster for the others.", [ada, ben]);
    await talk.say(ben, "Good. We need not be online when they scan it.", [ada, ben]);
    await ada.sync();
    const { delivered, expected } = talk.deliveries();
    stage.check(`both read both messages in epoch ${ada.group.epoch}`, delivered === expected);
  });
}

interface Poster {
  readonly url: string;
  readonly file: string;
  /** Epoch of the group when it was made. */
  readonly epoch: bigint;
}

function issueInvite(stage: Stage, { ada, ben }: Cast, file: string): Promise<Poster> {
  return stage.step("issue-invite", "Ada issues an invite", async () => {
    const invite = await ada.group.invites.create();
    await writePrivateFile(file, invite.toQR("png"));
    await ben.sync();
    stage.line();
    stage.line(terminalQr(invite, stage.style).trimEnd().replace(/^/gm, "   "));
    stage.line();
    stage.line(`   ${stage.style.dim(`written as an image to ${file}`)}`);
    stage.check(
      `Ben follows to epoch ${ada.group.epoch}`,
      ben.group.epochAuthenticator === ada.group.epochAuthenticator,
    );
    return { url: invite.url, file, epoch: ada.group.epoch };
  });
}

function goOffline(stage: Stage, { ada, ben }: Cast): Promise<void> {
  return stage.step("go-offline", "Ada and Ben go offline", async () => {
    for (const device of [ada, ben]) {
      await device.goOffline();
      stage.line(`   ${stage.style.dim(`${device.name}: client, connection and database are closed`)}`);
    }
  });
}

/** Does as a phone with a picture: reads the file from disk and decodes the code in it. */
async function scan(stage: Stage, { url, file }: Poster): Promise<{ link: string; same: boolean }> {
  const [link = ""] = await readQrFromImage(new Uint8Array(await readFile(file)));
  const same = inspectInvite(link).externalGroupId === inspectInvite(url).externalGroupId;
  stage.check("the QR decoder reads the invite from the image", same);
  return { link, same };
}

function joinWithThreeDevices(stage: Stage, { ada, ben, cleo }: Cast, poster: Poster, talk: Talk): Promise<boolean> {
  return stage.step(
    "join-with-three-devices",
    "Cleo's phone scans the image and joins with three devices",
    async () => {
      const [phone, laptop, tablet] = cleo;
      const { link, same } = await scan(stage, poster);
      await phone.client.conversations.joinByInvite(link);
      const before = phone.group.epoch;
      const own = phone.group.members().find(({ inboxId }) => inboxId === phone.client.inboxId);
      stage.check(`one external commit put all three into epoch ${before}`, own?.installations.length === 3);
      for (const device of [laptop, tablet]) {
        await device.sync();
        const equal = device.group.epochAuthenticator === phone.group.epochAuthenticator;
        stage.check(`${device.name} has its Welcome to epoch ${device.group.epoch}`, equal);
      }
      await talk.say(phone, "Found your poster, all my devices are in.", [ada, ben, ...cleo]);
      return same;
    },
  );
}

function joinSecond(stage: Stage, { ada, ben, cleo, dan }: Cast, poster: Poster, talk: Talk): Promise<void> {
  return stage.step("join-second", "Dan scans the same image and joins after her", async () => {
    const { link } = await scan(stage, poster);
    const { epoch } = cleo[0].group;
    await dan.client.conversations.joinByInvite(link);
    stage.check(
      `he joins from the blob that Cleo refreshed, into epoch ${dan.group.epoch}`,
      dan.group.epoch === epoch + 1n,
    );
    await talk.say(dan, "And me. Nobody had to let us in!", [ada, ben, ...cleo, dan]);
  });
}

function comeBack(stage: Stage, { ada, ben, cleo, dan }: Cast): Promise<void> {
  return stage.step("come-back", "Ada and Ben come back", async () => {
    for (const device of [ada, ben]) {
      await device.goOnline();
      await device.sync();
      const equal = device.group.epochAuthenticator === dan.group.epochAuthenticator;
      stage.check(`${device.name} accepts both joins and is in epoch ${device.group.epoch}`, equal);
    }
    for (const device of cleo) await device.sync();
  });
}

function linkNewPhone(
  stage: Stage,
  { ada, cleo }: Cast,
  world: World,
  talk: Talk,
  closing: AsyncDisposableStack,
): Promise<Device> {
  return stage.step("link-new-phone", "Cleo buys a new phone and links it by a code", async () => {
    const [, laptop] = cleo;
    const newPhone = new Device({ name: "Cleo", walletKey: new Uint8Array(32) }, "new phone", world);
    closing.defer(() => newPhone.goOffline());
    const { addedTo, history } = await newPhone.linkTo(laptop, (code, digits) => {
      stage.line();
      stage.line(terminalQr(code, stage.style).trimEnd().replace(/^/gm, "   "));
      stage.line();
      stage.line(`   ${stage.style.dim(`six digits, typed into the laptop: ${digits}`)}`);
    });
    stage.check("it is a device of Cleo's inbox, and in the group", addedTo === 1 && newPhone.group.isActive);
    const texts = newPhone.group.messages().map(({ text }) => text);
    stage.check(`it brought ${history.messages} messages along`, texts.includes("And me. Nobody had to let us in!"));
    await talk.say(newPhone, "My new phone writes, and no key has travelled.", [ada, ...cleo]);
    return newPhone;
  });
}

function revokeTablet(stage: Stage, { ada, ben, cleo, dan }: Cast, newPhone: Device): Promise<void> {
  return stage.step("revoke-tablet", "Cleo's tablet is stolen, and she revokes it", async () => {
    const [phone, laptop, tablet] = cleo;
    // It reads once more what was written before.
    await tablet.sync();
    const { installationId } = tablet.client;
    await laptop.client.revokeInstallations([installationId]);
    await laptop.sync();
    await laptop.group.updateInstallations();
    for (const device of [ada, ben, phone, newPhone, dan]) await device.sync();
    const isOut = (device: Device) =>
      device.group.members().every((member) => !member.installations.includes(installationId));
    stage.check("it is out of the group for everybody", [ada, ben, phone, laptop, newPhone, dan].every(isOut));
    const wrote = await tablet.group.send("a thief writes").then(
      () => true,
      () => false,
    );
    stage.check("it can write no more", !wrote);
  });
}

function talkTogether(
  stage: Stage,
  everybody: readonly Device[],
  talk: Talk,
): Promise<{ delivered: number; expected: number }> {
  return stage.step("talk", "Everybody talks, everybody reads", async () => {
    for (const device of everybody) await talk.say(device, `Hello from ${device.name}.`, everybody);
    for (const device of everybody) await device.sync();
    const { delivered, expected } = talk.deliveries();
    stage.check(`${delivered} of ${expected} messages are where they belong`, delivered === expected);
    return { delivered, expected };
  });
}
