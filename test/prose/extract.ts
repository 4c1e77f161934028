import { Lexer, Source, type Token, TokenKind } from 'graphql'
import { type Block, joinLineComments, type LineComment } from './block.ts'
import { typescriptBlocks } from './typescript.ts'

/** Arguments of directives that hold a sentence for people. */
const TEXT_ARGUMENTS = new Set(['because', 'notice', 'reason'])

/** After these a string is a default value or an entry of a list. */
const BEFORE_VALUE: ReadonlySet<TokenKind> = new Set([TokenKind.EQUALS, TokenKind.BRACKET_L, TokenKind.STRING])

/** The prose of a file by the kind of the file; undefined for a file without measured prose. */
export function blocksOf(path: string, source: string): Block[] | undefined {
  if (/\.[jt]sx?$/.test(path)) return typescriptBlocks(source)
  if (path.endsWith('.graphql')) return graphqlBlocks(source)
  if (path.endsWith('.md')) return [{ line: 1, text: source }]
  if (/\.(?:ya?ml|sh)$|^\.ci\/[^.]+$/.test(path)) return hashBlocks(source)
  return undefined
}

/** Descriptions, comments, and the texts of directives. */
function graphqlBlocks(source: string): Block[] {
  const lexer = new Lexer(new Source(source))
  const first = lexer.token
  while (lexer.advance().kind !== TokenKind.EOF);
  const comments: LineComment[] = []
  const blocks: Block[] = []
  let before: readonly Token[] = []
  for (let token: Token | null = first; token !== null; token = token.next) {
    const { kind, line, start, end, value, column } = token
    if (kind === TokenKind.COMMENT) {
      comments.push({ line, text: value, ownLine: source.slice(start - column + 1, start).trim() === '' })
      continue
    }
    if (isText(before)) {
      if (kind === TokenKind.STRING) blocks.push({ line, text: value })
      // the value of the token has no indentation and no empty first line; the source keeps the lines
      if (kind === TokenKind.BLOCK_STRING) blocks.push({ line, text: source.slice(start + 3, end - 3) })
    }
    before = [token, ...before.slice(0, 1)]
  }
  return [...joinLineComments(comments), ...blocks]
}

/** Whether a string after these tokens, the newest first, is a description or a text of a directive. */
function isText([previous, name]: readonly Token[]): boolean {
  if (previous?.kind === TokenKind.COLON) return name !== undefined && TEXT_ARGUMENTS.has(name.value)
  return previous !== undefined && !BEFORE_VALUE.has(previous.kind)
}

/** The `#` comments of YAML and shell. A `#` in quotes or inside a word starts no comment. */
function hashBlocks(source: string): Block[] {
  const comments = source.split('\n').flatMap((content, index): LineComment[] => {
    const [, code, text] = /^((?:[^'"#]|(?<!\w)'[^']*'|(?<!\w)"[^"]*"|(?<=\w)['"]|(?<=\S)#)*)(?<!\S)#(?!!)(.*)$/.exec(content) ?? []
    return code === undefined || text === undefined ? [] : [{ line: index + 1, text, ownLine: code.trim() === '' }]
  })
  return joinLineComments(comments)
}
