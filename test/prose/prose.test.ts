import { describe, expect, it } from 'vitest'
import { BANNED_PHRASE, countBlocks } from './count.ts'
import { blocksOf } from './extract.ts'
import { folderOf, hasFallen, nextRates, rateOf, type Tally, verdictOf } from './ratchet.ts'
import { BANNED, PATTERNS } from './words.ts'

const WHO = 'who/whom/whose'
const SENTENCE = 'What/Who sentence'

const textsOf = (path: string, source: string) => blocksOf(path, source)?.map(({ line, text }) => `${line}: ${text.trim()}`)
const countOf = (path: string, source: string) => countBlocks(blocksOf(path, source) ?? [])
const hitsOf = (path: string, source: string) => countOf(path, source).hits.map(({ line, pattern }) => `${line} ${pattern}`)

describe('extraction', () => {
  it('reads every kind of TypeScript comment with its line', () => {
    const lines = ['#!/usr/bin/env node', '// one', '// and its end', 'a() // two', 'b() // three', '/**', ' * four', ' */']
    const source = [...lines, '// five', '', '// six'].join('\n')
    expect(textsOf('a.ts', source)).toEqual(['2: one\n and its end', '4: two', '5: three', '9: five', '11: six', '6: four'])
  })

  it('finds no comment in strings, templates and regular expressions', () => {
    const source = [
      'f(\'// a\', "/* b */")',
      'g(`// c ${h(`}// d ${1 / 2}`)} // e`)',
      'i = /[/]\\/\\/ f/.test(j) / 2 // real',
    ].join('\n')
    expect(textsOf('a.ts', source)).toEqual(['3: real'])
  })

  it('reads the messages of errors and commands, and no other strings', () => {
    const source = [
      "throw new Refused('the caller is unknown')",
      'const failure = new TypeError(`the field ${name({ a: `b` })} is missing`)',
      "super('the table is full')",
      "command.description('prints the lock').option('--user <id>', 'the user to ask as')",
      "call('no message at all'); new Set(['no message at all'])",
    ].join('\n')
    expect(textsOf('a.ts', source)).toEqual([
      '1: the caller is unknown',
      '2: the field `` is missing',
      '3: the table is full',
      '4: prints the lock',
      '4: the user to ask as',
    ])
  })

  it('reads descriptions, comments and texts of directives in a schema, and no other values', () => {
    const source = [
      '# a comment',
      '"A type"',
      'type A @notPhi(because: "a reason") {',
      '  """',
      '  A field # with no comment',
      '  """',
      '  b("An argument" c: String = "a default"): ID @d(e: "a value", f: ["a value", "a value"])',
      '}',
    ].join('\n')
    expect(textsOf('a.graphql', source)).toEqual([
      '1: a comment',
      '2: A type',
      '3: a reason',
      '4: A field # with no comment',
      '7: An argument',
    ])
  })

  it('reads the hash comments of YAML and shell, outside of quotes and words', () => {
    const source = [
      '#!/bin/bash',
      '# one',
      '# and its end',
      "a: 'x # y' # the tenant's",
      'b: "c # d"',
      'e: f#g',
      "h: it's # two",
    ].join('\n')
    expect(textsOf('a.yml', source)).toEqual(['2: one\n and its end', "4: the tenant's", '7: two'])
    expect(textsOf('.ci/run', '# three')).toEqual(['1: three'])
  })

  it('leaves out files without prose', () => {
    expect(blocksOf('package.json', '{}')).toBeUndefined()
    expect(blocksOf('package-lock.json', '{}')).toBeUndefined()
  })
})

describe('counting', () => {
  it('counts every listed word in any case, and no word that only contains it', () => {
    expect(hitsOf('a.md', 'The caller who asks, WHOM and whose, who’s.')).toEqual(Array(4).fill(`1 ${WHO}`))
    expect(hitsOf('a.md', 'It stands, they stand, standing, stood.')).toEqual(Array(4).fill('1 stand'))
    expect(hitsOf('a.md', 'It tells, they tell, telling, told.')).toEqual(Array(4).fill('1 tell'))
    expect(hitsOf('a.md', 'A stand-in understands a teller, a whole, and someone.')).toEqual([])
  })

  it.each(['What', 'what', 'Whatever', 'Who', 'Whoever', 'Whose'])('counts a sentence that begins with %s', (word) => {
    expect(hitsOf('a.md', `${word} is stored.`)).toContain(`1 ${SENTENCE}`)
  })

  it('finds the start of a sentence after a period, and in lists, headings, tables, emphasis and JSDoc tags', () => {
    const sentence = 'What is stored stays'
    const source = [
      'One line',
      `ends. ${sentence}`,
      '',
      `- ${sentence}`,
      `# ${sentence}`,
      `**${sentence}.**`,
      `| a | ${sentence} |`,
      'One line',
      '',
      sentence,
    ]
    expect(hitsOf('a.md', source.join('\n'))).toEqual([2, 4, 5, 6, 7, 10].map((line) => `${line} ${SENTENCE}`))
    expect(hitsOf('a.ts', '/**\n * Opens it.\n * @throws what the reader throws\n */')).toEqual([`3 ${SENTENCE}`])
  })

  it('counts no question, no label of one word, and no word inside a sentence', () => {
    expect(hitsOf('a.md', 'What is stored? | What | The key says what is stored, e.g. what is sealed. `x` what is it')).toEqual([])
  })

  it('counts neither code nor addresses nor file names', () => {
    const source = [
      '`who` [text](#who) <!-- who --> https://example.org/who docs/who.md ``who ` who``',
      '```yaml',
      'who: stands',
      '```',
      '[ref]: #stand',
    ]
    expect(countOf('a.md', source.join('\n'))).toEqual({ words: 2, hits: [] })
  })

  it('gives a hit the line of the word and its whole sentence', () => {
    const [hit] = countOf('a.ts', '\n// First. The caller\n// that is told waits. Last.').hits
    expect(hit).toEqual({ line: 3, pattern: 'tell', sentence: 'The caller that is told waits.' })
  })

  it.each(BANNED)('finds a banned phrase across lines and marks: %s', (phrase) => {
    const words = phrase.toUpperCase().split(' ')
    const source = `/**\n * ${words.slice(0, 2).join(' ')}\n *   \`${words.slice(2).join('`\n * ')}.\n */`
    expect(countOf('a.ts', source).hits.filter(({ pattern }) => pattern === BANNED_PHRASE)).toHaveLength(1)
  })
})

describe('folders', () => {
  it.each([
    ['README.md', 'docs'],
    ['docs/decisions/0001.md', 'docs'],
    ['serverless.yml', 'infra'],
    ['.ci/run', 'infra'],
    ['infra/local/demo/a.ts', 'infra'],
    ['gateway/compose.ts', 'gateway'],
    ['gateway/audit/verify/a.ts', 'gateway/audit'],
    ['test/gateway/audit/a.test.ts', 'test'],
  ])('measures %s with %s', (path, folder) => {
    expect(folderOf(path)).toBe(folder)
  })

  it('skips its own files, because they hold the banned phrases', () => {
    expect(folderOf('test/prose/words.ts')).toBeUndefined()
  })
})

describe('limits and ratchet', () => {
  const pattern = PATTERNS.find(({ name }) => name === WHO) ?? expect.fail('the list has no such pattern')
  const tally = (hits: number, words = 1000): Tally => ({ folder: 'fhir', pattern, words, hits })
  const stored = (rate: number) => ({ fhir: { [WHO]: rate } })

  it('gives the rate for 1,000 words with two decimals', () => {
    expect(rateOf({ hits: 1, words: 3000 })).toBe(0.33)
    expect(rateOf({ hits: 0, words: 0 })).toBe(0)
  })

  it('rounds a limit up to whole hits, so that one hit in a small folder passes', () => {
    expect(verdictOf(tally(1, 10), {})).toBe('within limit')
    expect(verdictOf(tally(2, 10), {})).toBe('above')
    expect(verdictOf(tally(2), {})).toBe('within limit')
    expect(verdictOf(tally(3), {})).toBe('above')
  })

  it('accepts a rate above the limit up to the stored rate', () => {
    expect(verdictOf(tally(5), stored(5))).toBe('within stored rate')
    expect(verdictOf(tally(6), stored(5))).toBe('above')
  })

  it('notices that a rate fell, and that it met its limit', () => {
    expect(hasFallen(tally(4), stored(5))).toBe(true)
    expect(hasFallen(tally(1), stored(1.5))).toBe(true)
    expect(hasFallen(tally(1, 10), stored(50))).toBe(true)
    expect(hasFallen(tally(5), stored(5))).toBe(false)
    expect(hasFallen(tally(1), {})).toBe(false)
  })

  it('stores lower rates and drops those within the limit', () => {
    expect(nextRates([tally(4)], stored(5))).toEqual({ rates: stored(4), raised: [] })
    expect(nextRates([tally(1)], stored(5))).toEqual({ rates: {}, raised: [] })
  })

  it('refuses to store a raised rate, also where the rate had met its limit', () => {
    expect(nextRates([tally(6)], stored(5)).raised).toEqual([tally(6)])
    expect(nextRates([tally(6)], {}).raised).toEqual([tally(6)])
  })

  it('accepts every rate while no rates are stored', () => {
    expect(nextRates([tally(6)], undefined)).toEqual({ rates: stored(6), raised: [] })
  })
})
