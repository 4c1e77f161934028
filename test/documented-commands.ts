import { readFileSync } from 'node:fs'

// The blocks of a document that a test runs. Hidden comments after a block of commands state its expected output: `<!-- expect: text -->`,
// `<!-- expect: /pattern/ -->`, `<!-- expect not: ... -->`, and its exit code if it is not 0: `<!-- exit: 1 -->`.

/** A fenced block of a document. */
export interface DocumentBlock {
  /** The line of the first line in the fence, from 1. */
  readonly line: number
  /** The word after the opening fence. */
  readonly language: string
  readonly text: string
  /** The last line of prose before the fence. */
  readonly before: string
  /** The exit code of the commands. */
  readonly exit: number
  readonly expected: readonly { readonly what: string; readonly not: boolean }[]
}

const FENCE = /^```(\w+)\n(.*?)^```\n((?:<!--.*?-->\n)*)/gms
const EXPECTATION = /<!-- expect( not)?: (.+?) -->/g
const EXIT = /<!-- exit: (\d+) -->/

/** The blocks of a document, in order. */
export function documentBlocks(file: URL): readonly DocumentBlock[] {
  const document = readFileSync(file, 'utf8')
  return [...document.matchAll(FENCE)].map(({ index, 1: language = '', 2: text = '', 3: comments = '' }) => ({
    line: document.slice(0, index).split('\n').length + 1,
    language,
    text,
    before: document.slice(0, index).trimEnd().split('\n').at(-1) ?? '',
    exit: Number(EXIT.exec(comments)?.[1] ?? 0),
    expected: [...comments.matchAll(EXPECTATION)].map(([, not, what = '']) => ({ what, not: not !== undefined })),
  }))
}

/**
 * The faults in the output of a block; empty if the output matches the document.
 *
 * @param output undefined if a command failed
 */
export function outputFaults(name: string, { line, expected }: DocumentBlock, output: string | undefined): string[] {
  if (output === undefined) return [`${name}:${line}: a command failed, or one before it did`]
  return expected.flatMap(({ what, not }) => {
    const pattern = /^\/(.*)\/$/s.exec(what)?.[1]
    const found = pattern === undefined ? output.includes(what) : new RegExp(pattern).test(output)
    return found === not ? [`${name}:${line}: ${not ? 'printed what it must not' : 'did not print'}: ${what}\n${output}`] : []
  })
}
