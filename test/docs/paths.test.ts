import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const DOCUMENTS = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...readdirSync(new URL('docs/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

const read = (document: string): string => readFileSync(new URL(document, ROOT), 'utf8')
const isThere = (path: string): boolean => existsSync(new URL(path, ROOT))

/** `gateway/audit/{entry,trail}.ts` names two files. */
function expand(path: string): string[] {
  const [, before = '', names, after = ''] = /^([^{]*)\{([^}]+)\}(.*)$/.exec(path) ?? []
  return names === undefined ? [path] : names.split(',').flatMap((name) => expand(before + name + after))
}

/** The guide names files of the reader's project: those of the starter, and those that its blocks write. */
const GUIDE = 'docs/your-own-schema.md'
const isInProject = (path: string): boolean =>
  isThere(`infra/npm/starter/${path}`) || path === 'schema/policy.lock' || read(GUIDE).includes(`\n\`${path}\`:\n`)

const withoutFences = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '')

/** Paths in code spans that begin with a folder of the project. A name without an extension may be a test or a folder. */
function missingPaths(text: string): string[] {
  return [
    ...withoutFences(text).matchAll(
      /`((?:schema|resolvers|directives|functions|infra|gateway|fhir|cli|examples|docs|test)\/[\w./{},-]+)`/g,
    ),
  ]
    .flatMap(([, path = '']) => expand(path))
    .filter((path) => ![path, `test/${path}.test.ts`, `test/${path}.ts`].some(isThere))
}

/** The anchors of a document, in the form that GitHub derives from its headings. */
const anchorsOf = (text: string): Set<string> =>
  new Set(
    [...withoutFences(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replaceAll(' ', '-'),
    ),
  )

/** Relative links to missing files or anchors. */
function brokenLinks(document: string, text: string): string[] {
  return [...withoutFences(text).matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? document : new URL(path, new URL(document, ROOT)).pathname.slice(ROOT.pathname.length)
    if (!isThere(target)) return [link]
    return anchor === undefined || anchorsOf(read(target)).has(anchor) ? [] : [link]
  })
}

describe.each(DOCUMENTS)('%s', (document) => {
  // the changelog also names former paths
  it.skipIf(document === 'CHANGELOG.md')('names files that exist', () => {
    const missing = missingPaths(read(document))
    expect(document === GUIDE ? missing.filter((path) => !isInProject(path)) : missing).toEqual([])
  })

  it('links to files and headings that exist', () => {
    expect(brokenLinks(document, read(document))).toEqual([])
  })
})

describe('the check itself', () => {
  it('finds a missing file, a missing test and a missing heading', () => {
    expect(missingPaths('see `gateway/decide/{decide,none}.ts` and `gateway/decide/decide`')).toEqual(['gateway/decide/none.ts'])
    expect(brokenLinks('README.md', '[a](docs/none.md) [b](docs/search.md#no-such-heading) [c](docs/search.md)')).toEqual([
      'docs/none.md',
      'docs/search.md#no-such-heading',
    ])
  })
})
