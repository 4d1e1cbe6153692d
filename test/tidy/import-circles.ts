import { posix } from "node:path";
import ts from "typescript";
import type { SourceFile } from "./source-files.ts";

/** Which imports count: those that load a module, or those of types as well. */
export type ImportKind = "value" | "any";

/** Whether a statement imports or exports from elsewhere something that exists at run time. */
function isByValue(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return !statement.isTypeOnly;
  // Without a clause the module is loaded for its effects.
  return statement.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword;
}

/** Paths of the sources that a file imports by a relative path. */
function targetsOf({ path, text }: SourceFile, kind: ImportKind): string[] {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest).statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const name = statement.moduleSpecifier;
    if (name === undefined || !ts.isStringLiteral(name) || !name.text.startsWith(".")) return [];
    return kind === "any" || isByValue(statement) ? [posix.join(posix.dirname(path), name.text)] : [];
  });
}

/** Groups of files each of which imports all others of its group, directly or not: Tarjan's algorithm, O(imports). */
export function importCircles(files: readonly SourceFile[], kind: ImportKind): string[][] {
  const targets = new Map(files.map((file) => [file.path, targetsOf(file, kind)]));
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const circles: string[][] = [];
  const visit = (path: string): number => {
    let low = order.size;
    order.set(path, low);
    lowest.set(path, low);
    open.push(path);
    for (const target of targets.get(path) ?? []) {
      if (!targets.has(target)) continue;
      if (!order.has(target)) low = Math.min(low, visit(target));
      else if (open.includes(target)) low = Math.min(low, order.get(target) ?? low);
    }
    lowest.set(path, low);
    if (low === order.get(path)) {
      const group = open.splice(open.indexOf(path));
      if (group.length > 1) circles.push(group.sort());
    }
    return low;
  };
  for (const path of targets.keys()) if (!order.has(path)) visit(path);
  return circles;
}
