import ts from 'typescript'
import { type Block, joinLineComments, type LineComment, lineCounter } from './block.ts'
import { isComment, type Token, tokensOf } from './tokens.ts'

const { SyntaxKind } = ts

/** Methods of commander with texts for people. */
const COMMANDER = new Set(['description', 'summary', 'option', 'requiredOption', 'argument'])
const BEFORE_FAILURE: ReadonlySet<ts.SyntaxKind> = new Set([
  SyntaxKind.ThrowKeyword,
  SyntaxKind.ReturnKeyword,
  SyntaxKind.EqualsGreaterThanToken,
])
const LITERALS: ReadonlySet<ts.SyntaxKind> = new Set([SyntaxKind.StringLiteral, SyntaxKind.NoSubstitutionTemplateLiteral])

/**
 * The comments of a TypeScript text, and its messages: literals in `new ...Error('...')`, `throw new Name('...')`,
 * `super('...')` and the texts of commander.
 */
export function typescriptBlocks(source: string): Block[] {
  const lineAt = lineCounter(source)
  const comments: LineComment[] = []
  const blocks: Block[] = []
  /** For each open parenthesis, whether it holds the arguments of a message. */
  const calls: boolean[] = []
  /** For each open template, its text so far. */
  const templates: { readonly line: number; text: string }[] = []
  let before: readonly Token[] = []

  const addMessage = (message: Block) => {
    if (calls.at(-1) === true && isProse(message.text)) blocks.push(message)
  }
  for (const token of tokensOf(source)) {
    const { kind, start, text } = token
    const template = templates.at(-1)
    if (kind === SyntaxKind.SingleLineCommentTrivia) {
      comments.push({ line: lineAt(start), text: text.slice(2), ownLine: isOwnLine(source, start) })
    } else if (kind === SyntaxKind.MultiLineCommentTrivia) blocks.push({ line: lineAt(start), text: withoutStars(text) })
    else if (kind === SyntaxKind.OpenParenToken) calls.push(takesMessage(before))
    else if (kind === SyntaxKind.CloseParenToken) calls.pop()
    else if (LITERALS.has(kind)) addMessage({ line: lineAt(start), text: text.slice(1, -1) })
    else if (kind === SyntaxKind.TemplateHead) templates.push({ line: lineAt(start), text: text.slice(1, -2) })
    else if (kind === SyntaxKind.TemplateMiddle && template !== undefined) template.text += `\`\`${text.slice(1, -2)}`
    else if (kind === SyntaxKind.TemplateTail && template !== undefined) {
      templates.pop()
      addMessage({ line: template.line, text: `${template.text}\`\`${text.slice(1, -1)}` })
    }
    if (!isComment(kind)) before = [token, ...before.slice(0, 2)]
  }
  return [...joinLineComments(comments), ...blocks]
}

/** `before` has the last three tokens, the newest first. */
function takesMessage([callee, access, context]: readonly Token[]): boolean {
  if (callee?.kind === SyntaxKind.SuperKeyword) return true
  if (callee?.kind !== SyntaxKind.Identifier) return false
  if (access?.kind === SyntaxKind.DotToken) return COMMANDER.has(callee.text)
  if (access?.kind !== SyntaxKind.NewKeyword) return false
  return /(?:Error|Option|Argument)$/.test(callee.text) || (context !== undefined && BEFORE_FAILURE.has(context.kind))
}

function isOwnLine(source: string, start: number): boolean {
  return source.slice(source.lastIndexOf('\n', start - 1) + 1, start).trim() === ''
}

function withoutStars(comment: string): string {
  return comment.replace(/^\/\*+|\*\/$/g, '').replace(/^[ \t]*\*[ \t]?/gm, '')
}

/** Flags such as `--tenant <id>` and single names are no prose. */
function isProse(text: string): boolean {
  return /\S\s+\S/.test(text) && !text.startsWith('-')
}
