import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import type { GraphQLSchema } from 'graphql'
import { afterAll, describe, expect, it } from 'vitest'
import { unifiedDiff } from '../../cli/unified-diff.ts'
import { permitsChange } from '../../directives/actions.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { grantLines } from '../../directives/grant-lines.ts'
import { diffLocks } from '../../directives/lock-diff.ts'
import { narrowGrants } from '../../directives/narrow.ts'
import type { Role } from '../../directives/policy.ts'
import { narrowedFiles } from '../../directives/sdl-edits.ts'
import { clinicTypeDefs } from '../../schema/clinic.ts'

const clinic = compilePolicy(clinicTypeDefs(), { relationships: 'unchecked' })
const unusedOf = (entries: Readonly<Record<string, readonly string[]>>): Map<string, Set<Role>> =>
  new Map(Object.entries(entries).map(([rule, roles]) => [rule, new Set(roles as Role[])]))

const folder = mkdtempSync(join(tmpdir(), 'phi-test-narrow-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The schema after `git apply` of the diff to a copy of its files. */
function applied(unused: ReadonlyMap<string, ReadonlySet<Role>>): { name: string; sdl: string }[] {
  for (const { name, sdl } of clinicTypeDefs()) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), sdl)
  }
  const diff = narrowedFiles(narrowGrants(clinic.schema, unused)).map(unifiedDiff).join('')
  if (diff !== '') execFileSync('git', ['apply', '-'], { cwd: folder, input: diff, stdio: ['pipe', 'ignore', 'pipe'] })
  return clinicTypeDefs().map(({ name }) => ({ name, sdl: readFileSync(join(folder, name), 'utf8') }))
}

const lockOf = (sources: readonly { name: string; sdl: string }[]): string =>
  compilePolicy(sources, { relationships: 'unchecked' }).lock

describe('C21: the schema change that narrows grants', () => {
  it('C21: takes the roles that did not use a grant out of its line, and leaves the rest of the file', () => {
    const before = clinicTypeDefs()
    const after = applied(
      unusedOf({ 'Patient.mrn#4': ['PARTNER'], 'Patient.mrn#5': ['FRONT_DESK'], 'Observation.note#9': ['NURSE'] }),
    )
    const changed = after.filter(({ sdl }, at) => sdl !== before[at]?.sdl)
    expect(changed.map(({ name }) => name)).toEqual(['schema/clinical/patient.graphql'])
    const patient = before.find(({ name }) => name === 'schema/clinical/patient.graphql')?.sdl ?? ''
    const [mrn, rest] = [patient.slice(0, patient.indexOf('  "The social')), patient.slice(patient.indexOf('  "The social'))]
    expect(changed[0]?.sdl).toBe(
      mrn
        .replace('[BILLING, PARTNER]', '[BILLING]')
        .replace('\n    @minimumNecessary(roles: [FRONT_DESK], purposes: [HOPERAT], relationship: ORGANIZATION)', '') + rest,
    )
    expect(diffLocks(clinic.lock, lockOf(after))).toEqual({
      widened: [],
      narrowed: [
        { subject: 'Patient.mrn', what: 'FRONT_DESK for HOPERAT as ORGANIZATION: READ', before: 'FULL', after: 'none' },
        { subject: 'Patient.mrn', what: 'PARTNER for HPAYMT as ORGANIZATION: READ', before: 'FULL', after: 'none' },
      ],
      other: [],
    })
  })

  it('C21: leaves the last grants to read of a field and of a type, because the defaults could grant more', () => {
    const lines = [...grantLines(clinic.schema).values()].filter(({ place }) => place === 'Patient.ssn' || place === 'Patient')
    // a grant to change is beside them, and does not count as a grant to read
    const reads = lines.filter((line) => !permitsChange(line))
    expect(reads.length).toBeLessThan(lines.length)
    const unused = new Map(reads.map(({ rule, roles }) => [rule, new Set(roles)]))
    const narrowed = narrowGrants(clinic.schema, unused)
    expect(narrowed.map(({ grant, change }) => [grant.rule, change.kind])).toEqual(reads.map(({ rule }) => [rule, 'NONE']))
    expect(applied(unused)).toEqual(clinicTypeDefs())
  })

  it('C21: takes a grant to change that a role did not use, and the mutations that nobody may call', () => {
    const unused = unusedOf({ 'Observation#5': ['NURSE'], 'Claim#4': ['BILLING'], 'Patient.ssn#4': ['FRONT_DESK'] })
    expect(narrowGrants(clinic.schema, unused).map(({ grant, change }) => [grant.rule, change])).toEqual([
      ['Claim#4', { kind: 'REMOVE', endsChanges: true }],
      ['Observation#5', { kind: 'REMOVE', endsChanges: false }],
      ['Patient.ssn#4', { kind: 'REMOVE', endsChanges: true }],
    ])
    const lock = lockOf(applied(unused))
    const { widened, narrowed } = diffLocks(clinic.lock, lock)
    expect(widened).toEqual([])
    const ended = (role: string) =>
      narrowed.flatMap(({ subject, what }) => (what === `called by ${role}` ? [subject] : [])).toSorted()
    expect(ended('BILLING')).toEqual(['Mutation.createClaim', 'Mutation.retractClaim', 'Mutation.updateClaim'])
    expect(ended('NURSE')).toEqual(['Mutation.createObservation', 'Mutation.updateObservation'])
    // the front desk registers patients with their other values
    expect(ended('FRONT_DESK')).toEqual([])
    expect(lock).not.toContain('createClaim')
  })

  /** The schema with other lines on observations. */
  const withObservation = (edit: (sdl: string) => string) => {
    const sources = clinicTypeDefs().map(({ name, sdl }) => ({
      name,
      sdl: name === 'schema/clinical/observation.graphql' ? edit(sdl) : sdl,
    }))
    return compilePolicy(sources, { relationships: 'unchecked' })
  }
  const FIRST_READ = '    @minimumNecessary(roles: [PHYSICIAN, NURSE])\n'
  const onFirst = (line: string) => (sdl: string) => sdl.replace(FIRST_READ, `${FIRST_READ}    ${line}\n`)
  const changesOf = (schema: GraphQLSchema, unused: ReadonlyMap<string, ReadonlySet<Role>>) =>
    narrowGrants(schema, unused).map(({ grant, change }) => [grant.rule, change.kind === 'NONE' ? change.because : change.kind])

  it('C21: leaves the last grant to change of a field whose type has defaults, because they would take effect', () => {
    const { schema, lock } = withObservation(onFirst('@minimumNecessary(roles: [PHYSICIAN], actions: [UPDATE, DELETE])'))
    const own = [...grantLines(schema).values()].find(
      ({ place, actions }) => /^Observation\./.test(place) && actions.includes('DELETE'),
    )
    const rule = own?.rule ?? ''
    expect(changesOf(schema, unusedOf({ [rule]: ['PHYSICIAN'] }))).toEqual([[rule, 'LAST_GRANT']])
    // without the line, physicians could create the value
    expect(diffLocks(lock, clinic.lock).widened.length).toBeGreaterThan(0)
  })

  it('C21: leaves a grant of DELETE if other values of the record keep one, because a record is retracted as a whole', () => {
    const { schema } = withObservation(onFirst('@minimumNecessary(roles: [NURSE], actions: [UPDATE, DELETE])'))
    // the defaults of the type are not used, and the grant of one field is
    expect(changesOf(schema, unusedOf({ 'Observation#4': ['PHYSICIAN'], 'Observation#5': ['NURSE'] }))).toEqual([
      ['Observation#4', 'RETRACTION'],
      ['Observation#5', 'REMOVE'],
    ])
    // without the grant of the field, the defaults are retracted alone
    expect(changesOf(clinic.schema, unusedOf({ 'Observation#4': ['PHYSICIAN'] }))).toEqual([['Observation#4', 'REMOVE']])
  })

  it('C21: narrows a default of a type, whose header keeps its brace', () => {
    const after = applied(unusedOf({ 'Patient#1': ['NURSE'], 'Patient#3': ['PROXY'] }))
    const sdl = after.find(({ name }) => name === 'schema/clinical/patient.graphql')?.sdl ?? ''
    expect(sdl).toContain(`  @record(patient: "id")
  @minimumNecessary(roles: [PHYSICIAN])
  @minimumNecessary(roles: [PATIENT], purposes: [PATRQT], relationship: SELF) {
  id: ID!`)
    expect(diffLocks(clinic.lock, lockOf(after)).widened).toEqual([])
  })

  it('C21: removes a grant that would repeat another one, and one behind a comment', () => {
    const sdl = clinicTypeDefs().map((source) => ({
      ...source,
      sdl: source.sdl.replace(
        '    @workforceComparison(as: PATIENT_NUMBER)\n    @minimumNecessary(roles: [PHYSICIAN, NURSE])',
        '    @workforceComparison(as: PATIENT_NUMBER) # by number\n    @minimumNecessary(roles: [PHYSICIAN, NURSE]) @minimumNecessary(roles: [NURSE])',
      ),
    }))
    const { schema, lock } = compilePolicy(sdl, { relationships: 'unchecked' })
    const narrowed = narrowGrants(schema, unusedOf({ 'Patient.mrn#1': ['PHYSICIAN'] }))
    expect(narrowed.map(({ change }) => change.kind)).toEqual(['REMOVE'])
    const [file] = narrowedFiles(narrowed)
    const after = sdl.map((source) => ({ ...source, sdl: source.name === file?.name ? file.after : source.sdl }))
    const { widened, narrowed: rights } = diffLocks(lock, lockOf(after))
    expect(widened).toEqual([])
    expect(new Set(rights.map(({ what }) => what.split(' ')[0]))).toEqual(new Set(['PHYSICIAN']))
  })

  it('C21: of any unused grants, the diff applies, compiles, and ends exactly their rights', () => {
    const grants = [...grantLines(clinic.schema).values()]
    const applies = new Set([...clinic.policy.phi.values()].flatMap((phi) => phi.grants.map(({ rule }) => rule)))
    fc.assert(
      fc.property(fc.subarray(grants, { minLength: 1, maxLength: 25 }), fc.infiniteStream(fc.boolean()), (some, coins) => {
        const unused = new Map(some.map(({ rule, roles }) => [rule, new Set(roles.filter(() => coins.next().value === true))]))
        const { widened, narrowed, other } = diffLocks(clinic.lock, lockOf(applied(unused)))
        expect(widened).toEqual([])
        const ended = narrowGrants(clinic.schema, unused).filter(
          ({ change, grant }) => change.kind !== 'NONE' && applies.has(grant.rule),
        )
        const roles = new Set(ended.flatMap((one) => one.unused))
        // the generated types of changes that nobody may make end with their mutations
        const isGenerated = (subject: string): boolean => /^(Mutation\.|\w+Payload\.)/.test(subject)
        const subjectOf = (what: string): Role => what.replace(/^called by /, '').split(' ')[0] as Role
        expect(
          narrowed.filter(
            ({ what, subject }) => !roles.has(subjectOf(what)) && !(isGenerated(subject) && what.includes('not PHI')),
          ),
        ).toEqual([])
        expect(narrowed.length > 0).toBe(ended.length > 0)
        expect(
          other.every(
            ({ what, subject }) => /rule|line|grant/.test(what) || (isGenerated(subject) && /^(class|notPhi)$/.test(what)),
          ),
          JSON.stringify(other.slice(0, 3)),
        ).toBe(true)
      }),
      { numRuns: 8 },
    )
  }, 60_000)
})
