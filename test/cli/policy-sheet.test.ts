import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { renderMarkdown } from '../../cli/policy-markdown.ts'
import { renderPage } from '../../cli/policy-page.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { changeRows, grantRows, policySheet, renderTable } from '../../directives/table.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'
import { compile, sdl } from '../directives/clinic-fixture.ts'

const { policy } = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const hostile = compile(
  sdl(`
  a: String @notPhi(because: "<script>alert('x')</script> & | \\\\ one\\nline")
  b: String @phi(category: NOTE, sensitivity: [PSY])
    @minimumNecessary(roles: [PHYSICIAN])
    @minimumNecessary(roles: [NURSE], actions: [SEARCH], breakGlass: false)
    @minimumNecessary(roles: [BILLING], purposes: [HPAYMT])
    @minimumNecessary(roles: [NURSE], relationship: ORGANIZATION)`),
).policy

describe('the policy sheet', () => {
  it('contains every grant of the table, and each path once', () => {
    const { phi } = policySheet(policy)
    expect(new Set(phi.map(({ path }) => path)).size).toBe(policy.phi.size)
    const rows = phi.flatMap(({ path, grants }) =>
      grants.flatMap(({ roles, purposes, relationship, view }) =>
        roles.map((role) => ({ role, purposes, relationship, path, view })),
      ),
    )
    // the rows contain only READ; a path can have a role that may search by it and not read it
    const searching = phi.flatMap(({ grants }) => grants.filter(({ view }) => view === 'FULL (SEARCH)'))
    expect(searching).toHaveLength(1)
    // a grant to change does not look like a grant to read
    const changing = rows.filter(({ view }) => /^no read: (?:CREATE|UPDATE|DELETE)/.test(view))
    const paths = (of: readonly { role: string; path: string }[]) => new Set(of.map(({ role, path }) => `${role} ${path}`))
    expect(paths(changing)).toEqual(paths(changeRows(policy)))
    expect(changing.length).toBeGreaterThan(0)
    expect(rows.length).toBe(grantRows(policy).length + searching.length + changing.length)
    expect(rows).toEqual(expect.arrayContaining([...grantRows(policy)]))
  })

  it('distinguishes grants of SEARCH and READ, and shows labels and break-glass', () => {
    expect(policySheet(hostile).phi).toEqual([
      {
        path: 'Person.b',
        category: 'NOTE, protected as PSY',
        safeHarbor: '-',
        grants: [
          { roles: ['PHYSICIAN'], purposes: 'TREAT ETREAT', relationship: 'CARE_TEAM', view: 'FULL', breakGlass: true },
          { roles: ['NURSE'], purposes: 'TREAT ETREAT', relationship: 'CARE_TEAM', view: 'FULL (SEARCH)', breakGlass: false },
          { roles: ['BILLING'], purposes: 'HPAYMT', relationship: 'CARE_TEAM', view: 'FULL', breakGlass: false },
          { roles: ['NURSE'], purposes: 'TREAT ETREAT', relationship: 'ORGANIZATION', view: 'FULL', breakGlass: false },
        ],
      },
    ])
    const opened = policySheet(policy).phi.flatMap(({ grants }) => grants.filter(({ breakGlass }) => breakGlass))
    expect(new Set(opened.map(({ relationship }) => relationship))).toEqual(new Set(['CARE_TEAM']))
  })

  it('as text for a narrow terminal has the grants of a path below its name, and the same words', () => {
    const [wide, narrow] = [renderTable(policy), renderTable(policy, 80)]
    const grants = narrow.slice(0, narrow.indexOf('\nargument'))
    expect(grants).toMatch(
      /^Encounter\.period {2}CLINICAL {2}\(C\) DATE\n {2}PHYSICIAN NURSE +TREAT ETREAT +CARE_TEAM +FULL +break-glass\n/m,
    )
    for (const line of grants.split('\n')) expect(line.length).toBeLessThanOrEqual(80)
    const wordsOf = (text: string): string[] =>
      text
        .split(/\s+/)
        .filter((word) => word !== '-')
        .toSorted()
    expect(wordsOf(narrow)).toEqual(wordsOf(wide))
    expect(renderTable(policy, 1_000)).toBe(wide)
  })

  it('as text shows the field that an argument reads, and the reason of a field that is not PHI', () => {
    const text = renderTable(policy)
    expect(text).toMatch(/^Encounter\.period +CLINICAL +\(C\) DATE +PHYSICIAN NURSE +TREAT ETREAT +CARE_TEAM +FULL +break-glass$/m)
    expect(text).toMatch(/^Patient\.conditions\(code:\) +Condition\.code$/m)
    expect(text).toMatch(/^CareTeamMember\.displayName +the name of a member of the workforce/m)
  })
})

describe('as Markdown', () => {
  const markdown = renderMarkdown(policy)
  it('has a row for each grant, reason and argument', () => {
    expect(markdown).toContain(
      '| `Coverage.subscriberId` | COVERAGE | (I) PLAN_ID | BILLING, PARTNER | HPAYMT | ORGANIZATION | FULL |  |',
    )
    expect(markdown).toContain('| `Patient.observations(category:)` | `Observation.category` |')
    expect(markdown).toContain('| `Patient.version` | a counter that reveals nothing about the patient |')
    expect(markdown).toContain(policy.digest)
    const grants = policySheet(policy).phi.flatMap((row) => row.grants).length
    expect(markdown.match(/^\| `/gm)?.length).toBe(grants + policy.reads.size + policy.notPhi.size)
  })

  it('escapes a reason that would end its cell or become markup', () => {
    expect(renderMarkdown(hostile)).toContain(
      String.raw`| ${'`'}Person.a${'`'} | \<script\>alert('x')\</script\> & \| \\ one line |`,
    )
  })
})

describe('as a page', () => {
  const page = renderPage(policy)
  const inner = (tag: string) => new RegExp(`<${tag}>([^]*)</${tag}>`).exec(page)?.[1] ?? ''

  it('loads no resources, and its content security policy allows only its own style and script', () => {
    expect(page).not.toMatch(/\b(?:src|href|action)=|url\(|@import|https?:/)
    const hash = (content: string) => `sha256-${createHash('sha256').update(content).digest('base64')}`
    expect(page).toContain(
      `content="default-src 'none'; style-src '${hash(inner('style'))}'; script-src '${hash(inner('script'))}'"`,
    )
  })

  it('is a table with captions and scopes, and one group of rows for each path', () => {
    const count = (pattern: RegExp) => page.match(pattern)?.length ?? 0
    expect(count(/<tbody role="rowgroup">/g)).toBe(policy.phi.size)
    expect(count(/<th scope="rowgroup"/g)).toBe(policy.phi.size)
    expect(count(/<tr role="row" data-roles=/g)).toBe(policySheet(policy).phi.flatMap(({ grants }) => grants).length)
    expect(count(/<caption>/g)).toBe(count(/<table\b/g))
    for (const tag of ['table', 'thead', 'tbody', 'tr', 'th', 'td', 'code', 'div'])
      expect(count(new RegExp(`<${tag}\\b`, 'g'))).toBe(count(new RegExp(`</${tag}>`, 'g')))
    expect(page).toContain('<html lang="en">')
  })

  it('offers every role with a grant, and no other', () => {
    const offered = [...page.matchAll(/<option>(\w+)<\/option>/g)].map(([, role]) => role)
    expect(new Set(offered)).toEqual(new Set(grantRows(policy).map(({ role }) => role)))
  })

  it('shows paths, classes, views and reasons', () => {
    expect(page).toContain('<code>Patient.<wbr>address.<wbr>postalCode</code>')
    expect(page).toContain('(I) PLAN_ID')
    expect(page).toContain('<td role="cell" class="partial">ZIP3</td>')
    expect(page).toContain('the name of a member of the workforce')
  })

  it('escapes text from the schema as plain text', () => {
    expect(renderPage(hostile)).toContain('&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; | \\ one')
    expect(renderPage(hostile)).not.toContain('<script>alert')
  })

  it('is equal for equal policies', () => {
    expect(renderPage(policy)).toBe(page)
  })
})
