import type { Device } from "./device.ts";

interface Said {
  readonly text: string;
  readonly sender: Device;
  readonly readers: readonly Device[];
}

/** Who said what to whom, to be compared with what arrived. */
export class Talk {
  readonly #said: Said[] = [];

  /** Sends a text that `readers` are meant to read, the sender among them or not. */
  async say(sender: Device, text: string, readers: readonly Device[]): Promise<void> {
    await sender.group.send(text);
    this.#said.push({ text, sender, readers });
  }

  /** Looks for every message at every device that is meant to have it, once and from the right sender. */
  deliveries(): { readonly delivered: number; readonly expected: number } {
    let delivered = 0;
    let expected = 0;
    for (const { text, sender, readers } of this.#said) {
      for (const reader of readers) {
        if (reader === sender) continue;
        expected += 1;
        const found = reader.group.messages().filter((message) => message.text === text);
        const [first] = found;
        if (found.length === 1 && first?.senderInstallationId === sender.client.installationId) delivered += 1;
      }
    }
    return { delivered, expected };
  }
}
