import type { Block } from './block.ts'
import { BANNED, PATTERNS } from './words.ts'

export interface Hit {
  readonly line: number
  /** The name of a pattern, or `BANNED_PHRASE`. */
  readonly pattern: string
  readonly sentence: string
}

export interface Count {
  readonly words: number
  readonly hits: readonly Hit[]
}

export const BANNED_PHRASE = 'banned phrase'

/** Neither words nor hits. */
const NOT_PROSE = anyOf('gm', [
  // fenced code, up to the end of the text if the fence stays open
  /^[ \t>]*(?<fence>```+|~~~+)[^\n]*\n[\s\S]*?(?:^[ \t>]*\k<fence>[^\n]*$|(?![\s\S]))/,
  /<!--[\s\S]*?-->/,
  // inline code, within one paragraph
  /(?<!`)(?<ticks>`+)(?!`)(?:(?!\n[ \t]*\n)[\s\S])+?(?<!`)\k<ticks>(?!`)/,
  /\{@[^}]*\}/,
  // the target of a link
  /(?<=\])(?:\([^)\s]*\)|: \S+)/,
  /https?:\/\/[^\s)>]+/,
  // a file name
  /[\w./{},*-]*\w\.(?:ts|js|md|json|graphql|ya?ml)\b/,
])

/** Where a sentence ends. */
const BOUNDARY = anyOf('gm', [
  // an empty line, the end of a heading, and the start of a list item, a heading or a JSDoc tag
  /\n[ \t>]*\n/,
  /(?<=^[ \t]*#{1,6} [^\n]*)\n/,
  /\n(?=[ \t>]*(?:[-*+]|\d+[.)]|#{1,6}|@\w+)[ \t])/,
  // a table cell
  /\|/,
  // the end mark of a sentence, which can have quotes, brackets or emphasis after it
  /(?<=[.!?]["'”’)\]*_]*)(?<!\b(?:e\.g|i\.e|vs|cf)\.)\s+/,
])

const WORD = /\p{L}+(?:[-'’]\p{L}+)*/gu
const MARKS = /^(?:[\s>#*_+"“'‘([-]|@\w+|\d+[.)]\s)*/
const QUESTION = /\?["'”’)\]*_\s]*$/

/** Words separated by anything that a line break, emphasis or code marks can put between them. */
const BANNED_PATTERN = anyOf(
  'gi',
  BANNED.map((phrase) => new RegExp(phrase.replaceAll(' ', '[\\s`*_"]+'))),
)

export function countBlocks(blocks: readonly Block[]): Count {
  const counts = blocks.map(countBlock)
  return { words: counts.reduce((sum, { words }) => sum + words, 0), hits: counts.flatMap(({ hits }) => hits) }
}

function countBlock({ line, text }: Block): Count {
  const lineAt = (offset: number) => line + (text.slice(0, offset).match(/\n/g)?.length ?? 0)
  const prose = withoutCode(text)
  const hits: Hit[] = [...text.matchAll(BANNED_PATTERN)].map(({ index, 0: phrase }) => ({
    line: lineAt(index),
    pattern: BANNED_PHRASE,
    sentence: onOneLine(phrase),
  }))
  let words = 0
  for (const [start, end] of sentenceRanges(prose)) {
    const found = [...prose.slice(start, end).matchAll(WORD)]
    words += found.length
    const sentence = onOneLine(text.slice(start, end))
    const opening = start + (MARKS.exec(prose.slice(start, end))?.[0].length ?? 0)
    for (const { index, 0: word } of found) {
      const offset = start + index
      // a single word is a label, for instance the head of a column
      const startsSentence = offset === opening && found.length > 1 && !QUESTION.test(sentence)
      for (const { name, counts, words: listed } of PATTERNS) {
        if (counts === 'sentences' && !startsSentence) continue
        if (listed.has(base(word))) hits.push({ line: lineAt(offset), pattern: name, sentence })
      }
    }
  }
  return { words, hits }
}

/** Each cut becomes marks and line breaks of the same length, so that offsets stay. The marks also keep the word after them from opening the sentence. */
function withoutCode(text: string): string {
  return text.replace(NOT_PROSE, (cut) => cut.replace(/[^\n]/g, '`'))
}

function sentenceRanges(prose: string): [start: number, end: number][] {
  const ranges: [number, number][] = []
  let start = 0
  for (const { index, 0: boundary } of prose.matchAll(BOUNDARY)) {
    ranges.push([start, index])
    start = index + boundary.length
  }
  return [...ranges, [start, prose.length]]
}

/** `who's` counts as `who`. */
function base(word: string): string {
  return word.toLowerCase().replace(/['’].*$/, '')
}

function onOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

function anyOf(flags: string, patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'), flags)
}
