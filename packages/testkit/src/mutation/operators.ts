import ts from "typescript";

/** One small wrong change of a module. Expressions are exchanged, statements left out, functions left at once. */
export interface Mutant {
  readonly id: number;
  /** Path from the project's root. */
  readonly module: string;
  readonly operator: Operator;
  readonly line: number;
  /** The line of source that is changed, trimmed: with module and change it tells mutants apart, whatever moves them. */
  readonly source: string;
  /** What stands there instead, or `` for what is left out. */
  readonly replacement: string;
  readonly node: ts.Node;
}

export type Operator =
  "negate" | "boundary" | "logic" | "drop" | "constant" | "return-early" | "quantifier" | "element";

/** Binary operators and what each is mistaken for. */
const SWAPPED = new Map<ts.SyntaxKind, readonly [Operator, string][]>([
  [
    ts.SyntaxKind.LessThanToken,
    [
      ["boundary", "<="],
      ["negate", ">="],
    ],
  ],
  [
    ts.SyntaxKind.LessThanEqualsToken,
    [
      ["boundary", "<"],
      ["negate", ">"],
    ],
  ],
  [
    ts.SyntaxKind.GreaterThanToken,
    [
      ["boundary", ">="],
      ["negate", "<="],
    ],
  ],
  [
    ts.SyntaxKind.GreaterThanEqualsToken,
    [
      ["boundary", ">"],
      ["negate", "<"],
    ],
  ],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, [["negate", "!=="]]],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, [["negate", "==="]]],
  [ts.SyntaxKind.AmpersandAmpersandToken, [["logic", "||"]]],
  [ts.SyntaxKind.BarBarToken, [["logic", "&&"]]],
]);

/** Calls that never return: a `return` of one is a refusal, and left out like a `throw`. */
const REFUSALS = /^(reject|refuse|invalid|deny|outOfScope|malformed|bad[A-Z]\w*)$/;

/** Functions that only refuse: leaving them at once lets everything through. */
const CHECKS = /^(check|validate|assert)[A-Z]/;

const QUANTIFIERS = new Map([
  ["every", "some"],
  ["some", "every"],
  ["min", "max"],
  ["max", "min"],
]);

type Found = Omit<Mutant, "id" | "module" | "line" | "source">;

function calleeName(node: ts.Node): string {
  const call = ts.isCallExpression(node) ? node.expression : undefined;
  if (call === undefined) return "";
  return ts.isPropertyAccessExpression(call) ? call.name.text : ts.isIdentifier(call) ? call.text : "";
}

function isSwappable(node: ts.Node): boolean {
  return ts.isBinaryExpression(node) && SWAPPED.has(node.operatorToken.kind);
}

/** A condition turned round, unless one of its own operators says the same. */
function negated(condition: ts.Expression): Found[] {
  if (isSwappable(condition) || ts.isPrefixUnaryExpression(condition)) return [];
  return [{ operator: "negate", node: condition, replacement: `!(${condition.getText()})` }];
}

function binaryMutants(node: ts.BinaryExpression): Found[] {
  const [left, right] = [node.left.getText(), node.right.getText()];
  if (node.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken) {
    return [{ operator: "logic", node, replacement: left }];
  }
  const swaps = SWAPPED.get(node.operatorToken.kind) ?? [];
  return swaps.map(([operator, sign]) => ({ operator, node, replacement: `${left} ${sign} ${right}` }));
}

function callMutants(node: ts.CallExpression): Found[] {
  const { expression } = node;
  const other = ts.isPropertyAccessExpression(expression) ? QUANTIFIERS.get(expression.name.text) : undefined;
  if (other === undefined || !ts.isPropertyAccessExpression(expression)) return [];
  const rest = node.getText().slice(expression.getText().length);
  return [{ operator: "quantifier", node, replacement: `${expression.expression.getText()}.${other}${rest}` }];
}

function literalMutants(node: ts.Node): Found[] {
  if (ts.isPropertyAssignment(node.parent) && node.parent.name === node) return [];
  if (ts.isNumericLiteral(node)) return [{ operator: "constant", node, replacement: String(Number(node.text) + 1) }];
  if (!ts.isBigIntLiteral(node)) return [];
  return [{ operator: "constant", node, replacement: `${BigInt(node.text.slice(0, -1)) + 1n}n` }];
}

/** The members of a constant set, each left out. */
function setMutants(node: ts.NewExpression): Found[] {
  const [list] = node.arguments ?? [];
  if (node.expression.getText() !== "Set" || list === undefined || !ts.isArrayLiteralExpression(list)) return [];
  if (!list.elements.every((element) => ts.isLiteralExpression(element))) return [];
  return list.elements.map((_, left) => {
    const kept = list.elements.filter((__, index) => index !== left).map((element) => element.getText());
    return { operator: "element", node: list, replacement: `[${kept.join(", ")}]` };
  });
}

function bodyMutants(node: ts.FunctionDeclaration): Found[] {
  const isCheck = node.type?.kind === ts.SyntaxKind.VoidKeyword && CHECKS.test(node.name?.text ?? "");
  return isCheck && node.body !== undefined ? [{ operator: "return-early", node: node.body, replacement: "" }] : [];
}

function mutantsAt(node: ts.Node): Found[] {
  if (ts.isIfStatement(node) || ts.isWhileStatement(node)) return negated(node.expression);
  if (ts.isConditionalExpression(node)) return negated(node.condition);
  if (ts.isBinaryExpression(node)) return binaryMutants(node);
  if (ts.isCallExpression(node)) return callMutants(node);
  if (ts.isNewExpression(node)) return setMutants(node);
  if (ts.isFunctionDeclaration(node)) return bodyMutants(node);
  if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) return literalMutants(node);
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    return [{ operator: "negate", node, replacement: node.operand.getText() }];
  }
  const dropped =
    ts.isThrowStatement(node) ||
    (ts.isExpressionStatement(node) && ts.isCallExpression(awaited(node.expression))) ||
    (ts.isReturnStatement(node) && node.expression !== undefined && REFUSALS.test(calleeName(node.expression)));
  return dropped ? [{ operator: "drop", node, replacement: "" }] : [];
}

function awaited(expression: ts.Expression): ts.Expression {
  return ts.isAwaitExpression(expression) ? expression.expression : expression;
}

/** What says nothing about behaviour: types, imports, and the words of an error. */
function isOutside(node: ts.Node): boolean {
  return ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node) || isErrorText(node);
}

function isErrorText(node: ts.Node): boolean {
  return ts.isTemplateExpression(node) || (ts.isNewExpression(node) && node.expression.getText().endsWith("Error"));
}

/** All mutants of one module, numbered from `firstId` on in the order of their places. */
export function findMutants(module: string, text: string, firstId: number): Mutant[] {
  const file = ts.createSourceFile(module, text, ts.ScriptTarget.ESNext, true);
  const lines = text.split("\n");
  const found: Found[] = [];
  const visit = (node: ts.Node): void => {
    if (isOutside(node)) return;
    found.push(...mutantsAt(node));
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found.map((mutant, index) => {
    const { line } = file.getLineAndCharacterOfPosition(mutant.node.getStart());
    return { id: firstId + index, module, ...mutant, line: line + 1, source: (lines[line] ?? "").trim() };
  });
}
