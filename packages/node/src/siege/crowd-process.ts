import { Crowd } from "./crowd.ts";
import { serveParent } from "./forked.ts";

let crowd: Crowd | undefined;

/** Told an address: gathers there. Asked anything else: disperses and reports. */
serveParent("ready", async (order) => {
  if (typeof order !== "string") return crowd?.disperse();
  crowd = await Crowd.gather(order);
  return "gathered";
});
