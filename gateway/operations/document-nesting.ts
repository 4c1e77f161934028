import { Lexer, Source, TokenKind } from 'graphql'
import { MAX_TOKENS } from './operation-limits.ts'

/**
 * Brackets of any kind within each other. The parser calls itself for each of them, and 4,000 tokens can exceed its stack. A document of
 * 16 nested fields with lists and objects as arguments needs fewer than 60.
 */
export const MAX_BRACKETS = 200

const OPENING: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L])
const CLOSING: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R])

/**
 * The refusal of a document with more brackets within each other than the parser takes. Reads its tokens, one after the other.
 *
 * @throws GraphQLError for a text that has no tokens of GraphQL
 */
export function nestingRefusal(text: string): 'GRAPHQL_PARSE_FAILED' | 'OPERATION_TOO_COSTLY' | undefined {
  const lexer = new Lexer(new Source(text))
  let [depth, deepest, tokens] = [0, 0, 0]
  for (let { kind } = lexer.advance(); kind !== TokenKind.EOF && tokens <= MAX_TOKENS; { kind } = lexer.advance()) {
    tokens++
    if (OPENING.has(kind)) deepest = Math.max(deepest, ++depth)
    else if (CLOSING.has(kind)) depth--
  }
  if (deepest <= MAX_BRACKETS) return undefined
  // as the parser refuses too many tokens
  return tokens > MAX_TOKENS ? 'GRAPHQL_PARSE_FAILED' : 'OPERATION_TOO_COSTLY'
}
