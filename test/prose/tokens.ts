import ts from 'typescript'

const { SyntaxKind } = ts

export interface Token {
  readonly kind: ts.SyntaxKind
  readonly start: number
  readonly text: string
}

/** Keywords before an expression: a slash after one of them starts a regular expression. */
const BEFORE_EXPRESSION = new Set(
  'await case delete do else extends in instanceof new of return throw typeof void yield'.split(' '),
)
const AFTER_VALUE: ReadonlySet<ts.SyntaxKind> = new Set([
  SyntaxKind.CloseParenToken,
  SyntaxKind.CloseBracketToken,
  SyntaxKind.CloseBraceToken,
  SyntaxKind.PlusPlusToken,
  SyntaxKind.MinusMinusToken,
])
const SPACE: ReadonlySet<ts.SyntaxKind> = new Set([SyntaxKind.WhitespaceTrivia, SyntaxKind.NewLineTrivia, SyntaxKind.ShebangTrivia])

/**
 * The tokens of a TypeScript text, comments included. The scanner alone does not know where a regular expression starts and
 * where a template goes on; the tokens before decide it. A parser knows both, but takes seconds for the repository.
 */
export function* tokensOf(source: string): Generator<Token> {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, source)
  /** For each open template, the number of open braces in its present `${}`. */
  const braces: number[] = []
  let previous: Token | undefined

  for (let kind = scanner.scan(); kind !== SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (SPACE.has(kind)) continue
    const depth = braces.at(-1)
    if (isSlash(kind) && !isValue(previous)) kind = scanner.reScanSlashToken()
    if (kind === SyntaxKind.CloseBraceToken && depth === 0) kind = scanner.reScanTemplateToken(false)

    if (kind === SyntaxKind.TemplateHead) braces.push(0)
    else if (kind === SyntaxKind.TemplateTail) braces.pop()
    else if (depth !== undefined && kind === SyntaxKind.OpenBraceToken) braces[braces.length - 1] = depth + 1
    else if (depth !== undefined && kind === SyntaxKind.CloseBraceToken) braces[braces.length - 1] = depth - 1

    const token = { kind, start: scanner.getTokenStart(), text: scanner.getTokenText() }
    yield token
    if (!isComment(kind)) previous = token
  }
}

export function isComment(kind: ts.SyntaxKind): boolean {
  return kind === SyntaxKind.SingleLineCommentTrivia || kind === SyntaxKind.MultiLineCommentTrivia
}

function isSlash(kind: ts.SyntaxKind): boolean {
  return kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken
}

/** Whether a slash after the token divides. */
function isValue(token: Token | undefined): boolean {
  if (token === undefined) return false
  const { kind, text } = token
  if (kind >= SyntaxKind.FirstPunctuation && kind <= SyntaxKind.LastPunctuation) return AFTER_VALUE.has(kind)
  return !BEFORE_EXPRESSION.has(text)
}
