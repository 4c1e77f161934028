import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { isScalarType, isSpecifiedScalarType, parse, validate } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compilePolicy } from '../../../../directives/compile.ts'
import { clinicTypeDefs } from '../../../../schema/clinic.ts'
import { HTTP_STATUS } from '../../../../gateway/model/failures.ts'
import { first, patientsOf } from '../../asking.ts'
import { type ServedClinic, serveClinic } from './clinic-over-http.ts'
import codegen from './samples/codegen.ts'

// Checks docs/clients.md against the running stack: its commands run, its answers are current, and its code is that of the tests.

const text = readFileSync(new URL('../../../../docs/clients.md', import.meta.url), 'utf8')

interface Block {
  readonly language: string
  readonly code: string
  /** The text of the hidden comments directly before and after the block. */
  readonly before: string
  readonly after: string
}
const COMMENTS = '((?:<!--[^>]*-->\\n)*)'
const blocks: Block[] = [...text.matchAll(new RegExp(`${COMMENTS}\`\`\`(\\w+)\\n([^]*?)\`\`\`\\n(?=${COMMENTS})`, 'g'))].map(
  ([, before = '', language = '', code = '', after = '']) => ({ language, code, before, after }),
)
const of = (language: string): Block[] => blocks.filter((block) => block.language === language)
const noted = (comments: string, name: string): string[] =>
  [...comments.matchAll(/<!-- (\w+): (.*?) -->/g)].filter(([, key]) => key === name).map(([, , value = '']) => value)

let served: ServedClinic
let id: string
beforeAll(async () => {
  served = await serveClinic({ riverside: 3, lakeside: 1 })
  id = first(await patientsOf(served.clinic, 'physician'))
})
afterAll(() => served.stop())

describe('docs/clients.md', () => {
  it('has only blocks that this test checks, and one for each phone, which no test runs', () => {
    const unchecked = blocks.map(({ language }) => language).filter((name) => !['bash', 'graphql', 'json', 'ts'].includes(name))
    expect(unchecked).toEqual(['swift', 'kotlin'])
    expect(blocks).toHaveLength(text.match(/^```\w+$/gm)?.length ?? 0)
  })

  it.each(of('ts').map((block) => [block.code.split('\n', 1)[0], block] as const))('code: %s', (_line, { code, before }) => {
    const sample = readFileSync(new URL(first(noted(before, 'from')), import.meta.url), 'utf8')
    expect(sample).toContain(code)
  })

  it.each(of('bash').map((block, n) => [n + 1, block] as const))('command %i', async (_n, { code, after }) => {
    const env = { ...process.env, URL: served.url, TOKEN: await served.token('physician') }
    const { stdout } = await promisify(execFile)('bash', ['-euc', code], { env })
    const expected = noted(after, 'expect')
    expect(expected.length).toBeGreaterThan(0)
    for (const part of expected) expect(stdout).toContain(part)
  })

  it.each(of('json').map((block) => [noted(block.before, 'as').join(), block] as const))('answer to %s', async (user, block) => {
    const query = of('graphql')[of('json').indexOf(block)]?.code ?? ''
    const answer = await served.clinic.ask(user, query, { id })
    expect(known(JSON.parse(answer.text))).toEqual(known(JSON.parse(block.code)))
    expect(answer.status).toBe(200)
  })

  it('has every code with its status', () => {
    const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \|/gm)].map(([, code, status]) => [code, Number(status)])
    expect(rows.toSorted()).toEqual(Object.entries(HTTP_STATUS).toSorted())
  })

  it('names every custom scalar for the code generator, and operations that fit the schema', () => {
    const { schema } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
    const scalars = Object.values(schema.getTypeMap()).filter((type) => isScalarType(type) && !isSpecifiedScalarType(type))
    expect(Object.keys(codegen.config.scalars).toSorted()).toEqual(scalars.map(({ name }) => name).toSorted())
    for (const { code } of of('graphql')) expect(validate(schema, parse(code))).toEqual([])
  })
})

const PER_RUN = new Set(['requestId', 'receipt', 'familyName'])

/**
 * An answer without the parts that differ for each run. A text stays recognizable as a text, and a masked number as a masked
 * number.
 */
function known(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return PER_RUN.has(key) ? 'a text' : value.replace(/^\*{3}-\*{2}-\d{4}$/, '***-**-0000')
  if (Array.isArray(value)) return value.map((item) => known(item))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, known(inside, name)]))
}
