import { posix } from "node:path";

/**
 * A README as it is packed. Links to files of the repository lead to `repositoryUrl`; without one they become the
 * plain text of the link, with the path behind it.
 */
export function packedReadme(text: string, folder: string, repositoryUrl: string | undefined): string {
  return text.replaceAll(/(!?)\[([^\]]*)\]\(([^)\s]+)\)/g, (link, image: string, label: string, target: string) => {
    if (/^([a-z]+:|#)/.test(target)) return link;
    const [path = "", anchor] = target.split("#");
    const whole = posix.normalize(posix.join(folder, path));
    if (repositoryUrl !== undefined) {
      return `${image}[${label}](${repositoryUrl}/blob/main/${whole}${anchor === undefined ? "" : `#${anchor}`})`;
    }
    if (image === "!") return label;
    return whole.endsWith(label) ? `\`${whole}\`` : `${label} (\`${whole}\` in the repository)`;
  });
}
