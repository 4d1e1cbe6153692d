import ts from "typescript";
import type { Mutant } from "./operators.ts";
import { SWITCH } from "./switch.ts";

const isActive = ({ id }: Mutant): string => `${SWITCH}(${id})`;

function switched(rendered: string, mutants: readonly Mutant[]): string {
  const [first] = mutants;
  if (first === undefined) return rendered;
  if (first.operator === "return-early") return `{if(${isActive(first)})return;${rendered.slice(1)}`;
  if (first.operator === "drop") return `{if(!${isActive(first)}){${rendered}}}`;
  const choices = mutants.map((mutant) => `${isActive(mutant)}?(${mutant.replacement}):`);
  return `(${choices.join("")}(${rendered}))`;
}

/**
 * The module with all of its mutants in it, each asleep until the switch says otherwise: one loaded copy serves for all
 * of them, and no file is ever changed.
 */
export function instrument(text: string, mutants: readonly Mutant[]): string {
  const [first] = mutants;
  if (first === undefined) return text;
  const byNode = Map.groupBy(mutants, ({ node }) => node);
  const render = (node: ts.Node): string => {
    let rendered = "";
    let end = node.getStart();
    ts.forEachChild(node, (child) => {
      rendered += text.slice(end, child.getStart()) + render(child);
      end = child.getEnd();
    });
    return switched(rendered + text.slice(end, node.getEnd()), byNode.get(node) ?? []);
  };
  const file = first.node.getSourceFile();
  return text.slice(0, file.getStart()) + render(file);
}
