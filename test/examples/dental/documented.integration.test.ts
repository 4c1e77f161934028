import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const root = new URL('../../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** A block of the document under a line that names its file. */
const SNIPPET = /^`(examples\/dental\/[\w.-]+)`[^\n]*\n\n```\w+\n([\s\S]*?)```$/gm

describe('docs/create-gateway.md', () => {
  const text = read('docs/create-gateway.md')
  const snippets = [...text.matchAll(SNIPPET)].map(([, file = '', snippet = '']) => ({ file, snippet }))

  it.each(snippets)('shows the content of $file', ({ file, snippet }) => {
    expect(read(file)).toContain(snippet)
  })

  it('shows no schema code that is in no file', () => {
    const blocks = [...text.matchAll(/^```(?:graphql|ts)$/gm)].length
    expect(snippets.length).toBe(blocks)
    expect(blocks).toBeGreaterThan(6)
  })

  it('links to existing files', () => {
    const named = [...text.matchAll(/`((?:examples|gateway|store|disclosure|test|docs)\/[\w./-]+)`/g)].map(([, path = '']) => path)
    expect(named.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
  })
})

describe('examples/dental', () => {
  it('needs only the entry point of the package', () => {
    const files = readdirSync(new URL('examples/dental/', root)).filter((file) => file.endsWith('.ts'))
    const imported = files.flatMap((file) =>
      [...read(`examples/dental/${file}`).matchAll(/from '([^']+)'/g)].map(([, from]) => from),
    )
    expect([...new Set(imported)].filter((from) => from?.startsWith('./') !== true).toSorted()).toEqual([
      '../../gateway/index.ts',
      'node:fs',
      'zod',
    ])
  })
})
