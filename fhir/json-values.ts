import { parseExact } from './exact-json.ts'
import { FileRefused } from './file-refused.ts'

/**
 * A JSON value of a file with its size in characters, or the reason why a line has none. `line` is from 1, and absent if the file is
 * one value.
 */
export type JsonValue = { readonly line?: number } & (
  | { readonly value: unknown; readonly characters: number }
  | { readonly reason: string }
)

export interface JsonOptions {
  /** Whether the name of the file says that each line is a value. Otherwise, the first line decides. */
  readonly isLines: boolean
  /** The limit for one value, in characters. */
  readonly maxCharacters: number
  /** Called before the first of several values: a damaged file must not give some of its lines. */
  readonly verify: () => Promise<void>
}

/**
 * The JSON values of a text: one value, or one in each line (NDJSON). Empty lines are allowed. Memory holds one value of NDJSON at a
 * time.
 *
 * @throws FileRefused if the text is one value and that value is not JSON, or if a value is too large
 * @source https://github.com/ndjson/ndjson-spec
 */
export async function* jsonValues(text: AsyncIterable<string>, options: JsonOptions): AsyncGenerator<JsonValue> {
  const lines = linesOf(text, options.maxCharacters)
  const first = await nextLine(lines)
  if (first === undefined) {
    if (options.isLines) return
    throw new FileRefused('NOT_JSON')
  }
  const value = parsed(first.text)
  if (options.isLines ? OPENING.test(first.text) : typeof value !== 'object') {
    yield await wholeValue(first.text, lines, options.maxCharacters)
    return
  }
  let before: JsonValue & { readonly line: number } = valueOf(first, value)
  let isOnly = !options.isLines
  for (let next = await nextLine(lines); next !== undefined; next = await nextLine(lines)) {
    if (before.line === first.line) await options.verify()
    yield before
    isOnly = false
    before = valueOf(next, parsed(next.text))
  }
  if (isOnly && 'value' in before) yield { value: before.value, characters: before.characters }
  else {
    if (before.line === first.line) await options.verify()
    yield before
  }
}

interface Line {
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** The first line of a value that is spread over several. */
const OPENING = /^\s*[[{]\s*$/

const valueOf = ({ text, line }: Line, value: unknown): JsonValue & { readonly line: number } =>
  value === undefined ? { line, reason: new FileRefused('LINE_NOT_JSON').message } : { line, value, characters: text.length }

async function wholeValue(first: string, lines: AsyncGenerator<Line>, maxCharacters: number): Promise<JsonValue> {
  const parts = [first]
  let characters = first.length
  for await (const { text } of lines) {
    characters += text.length + 1
    if (characters > maxCharacters) throw new FileRefused('TOO_LARGE')
    parts.push(text)
  }
  const value = parsed(parts.join('\n'))
  if (value === undefined) throw new FileRefused(kindOf(first))
  return { value, characters }
}

function kindOf(first: string): 'XML' | 'HL7_V2' | 'NOT_JSON' {
  if (/^\s*</.test(first)) return 'XML'
  return /^\s*(?:MSH|FHS|BHS)\|/.test(first) ? 'HL7_V2' : 'NOT_JSON'
}

async function nextLine(lines: AsyncGenerator<Line>): Promise<Line | undefined> {
  for (;;) {
    const next = await lines.next()
    if (next.done === true) return undefined
    if (next.value.text.trim() !== '') return next.value
  }
}

async function* linesOf(text: AsyncIterable<string>, maxCharacters: number): AsyncGenerator<Line> {
  let parts: string[] = []
  let characters = 0
  let line = 1
  for await (const chunk of text) {
    let start = 0
    for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
      parts.push(chunk.slice(start, end))
      yield { text: joined(parts), line: line++ }
      parts = []
      characters = 0
      start = end + 1
    }
    const rest = chunk.slice(start)
    characters += rest.length
    if (characters > maxCharacters) throw new FileRefused('TOO_LARGE')
    if (rest !== '') parts.push(rest)
  }
  if (parts.length > 0) yield { text: joined(parts), line }
}

/** Files that were joined have the byte order mark of each of them. */
function joined(parts: readonly string[]): string {
  const text = parts.length === 1 ? (parts[0] ?? '') : parts.join('')
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** The parsed JSON, or undefined. The error of the parser is dropped, because its message quotes the text (P8). */
function parsed(text: string): unknown {
  try {
    return parseExact(text)
  } catch {
    return undefined
  }
}
