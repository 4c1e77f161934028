import { isObjectType } from 'graphql'
import { describe, expect, it } from 'vitest'
import { policyCommand } from '../../cli/policy.ts'
import { searchIndexes } from '../../directives/searchable.ts'
import { compilePolicy } from '../../directives/compile.ts'
import { grantRows } from '../../directives/table.ts'
import type { Coordinate, SchemaPath } from '../../directives/coordinates.ts'
import type { CoordinateClass, Role } from '../../directives/policy.ts'
import { clinicLock, clinicTypeDefs } from '../../schema/clinic.ts'
import { runCommand } from '../cli/run-command.ts'
import { RELATIONSHIPS } from '../gateway/decide/clinic-policy.ts'

const { schema, policy, lock } = compilePolicy(clinicTypeDefs(), {
  relationships: new Set(RELATIONSHIPS),
})

describe('the shipped clinic', () => {
  it('P3: the committed lock equals the lock of the SDL', () => {
    expect(clinicLock()).toBe(lock)
  })

  it('P3: every coordinate has one class', () => {
    const fields = Object.values(schema.getTypeMap())
      .filter((type) => 'getInterfaces' in type && !type.name.startsWith('__'))
      .flatMap((type) => ('getFields' in type ? Object.keys(type.getFields()).map((name) => `${type.name}.${name}`) : []))
    expect([...policy.classes.keys()].toSorted()).toEqual(fields.toSorted())
  })

  it.each<readonly [string, CoordinateClass]>([
    ['Query.patients', 'ROOT'],
    ['Patient.ssn', 'VALUE'],
    ['Patient.givenName', 'VALUE'],
    ['Patient.maritalStatus', 'VALUE'],
    ['Patient.address', 'EMBEDDED'],
    ['Address.city', 'VALUE'],
    ['Patient.observations', 'EDGE'],
    ['Observation.patient', 'EDGE'],
    ['Patient.id', 'NOT_PHI'],
    ['Node.id', 'NOT_PHI'],
    ['Viewer.purpose', 'NOT_PHI'],
    ['Coding.code', 'STRUCTURE'],
    ['PatientConnection.mayBeIncomplete', 'STRUCTURE'],
    ['PatientEdge.node', 'STRUCTURE'],
    ['PageInfo.endCursor', 'STRUCTURE'],
  ])('%s is %s', (coordinate, expected) => {
    expect(policy.classes.get(coordinate as Coordinate)).toBe(expected)
  })

  it('an edge to one record has no policy; a connection edge has one', () => {
    expect(policy.phi.has('Observation.patient' as SchemaPath)).toBe(false)
    expect(policy.phi.get('Patient.careTeam' as SchemaPath)).toMatchObject({ class: 'EDGE', category: 'CARE_TEAM' })
  })

  it('no role reads more of a social security number than its last four digits', () => {
    const rows = grantRows(policy).filter(({ path }) => path === 'Patient.ssn')
    expect(rows.map(({ role, view }) => `${role} ${view}`)).toEqual(['BILLING LAST4', 'PATIENT LAST4'])
  })

  it('names the subdivisions below a state, and no others, as geographic identifiers', () => {
    const identifying = [...policy.phi.values()].filter(({ identifier }) => identifier === 'GEOGRAPHIC').map(({ path }) => path)
    expect(identifying).toEqual([
      // the name of a hospital reveals the town
      'Encounter.serviceProvider',
      'Patient.address.line',
      'Patient.address.city',
      'Patient.address.district',
      'Patient.address.postalCode',
    ])
  })

  it('every date is an identifier, and research sees at most its year', () => {
    const dates = [...policy.phi.values()].filter(({ coordinate }) => {
      const [type = '', field = ''] = coordinate.split('.')
      const owner = schema.getType(type)
      return isObjectType(owner) && ['PartialDate', 'DateTime', 'Period'].includes(String(owner.getFields()[field]?.type))
    })
    expect(dates.length).toBe(15)
    expect(dates.filter(({ identifier }) => identifier !== 'DATE')).toEqual([])
    const paths: readonly string[] = dates.map(({ path }) => path)
    const research = grantRows(policy).filter(({ role, path }) => role === 'RESEARCHER' && paths.includes(path))
    expect(new Set(research.map(({ view }) => view))).toEqual(new Set(['YEAR']))
  })

  it('research sees no free text, and no identifier except masked dates and ZIP codes', () => {
    const seen = [...policy.phi.values()]
      .filter(({ grants }) => grants.some(({ roles }) => roles.has('RESEARCHER' as Role)))
      .filter(({ identifier }) => identifier !== undefined && identifier !== 'DATE')
    expect(seen.map(({ path }) => path)).toEqual(['Patient.address.postalCode'])
  })

  it('free text counts as an identifier of any kind', () => {
    const text = [...policy.phi.values()].filter(({ identifier }) => identifier === 'OTHER').map(({ path }) => path)
    expect(text.toSorted()).toEqual(['DocumentReference.text', 'MedicationRequest.dosageInstruction', 'Observation.valueString'])
  })

  it('P11: every filter of a list reads its field', () => {
    const filters = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type))
      .flatMap((type) =>
        Object.values(type.getFields()).flatMap((field) =>
          field.args
            .filter(({ name }) => ['since', 'until', 'code', 'category'].includes(name))
            .map(({ name }) => `${type.name}.${field.name}(${name}:)`),
        ),
      )
    const reads = [...policy.reads.keys()].toSorted()
    expect(filters.toSorted()).toEqual(reads.filter((argument) => !argument.startsWith('Query.')))
    expect(policy.reads.get('Patient.conditions(code:)')).toBe('Condition.code')
    expect(policy.reads.get('Patient.medicationRequests(code:)')).toBe('MedicationRequest.medication')
    expect(policy.reads.get('Patient.encounters(since:)')).toBe('Encounter.period')
  })

  it('P11: every argument of a search except paging reads a field with an index, or a field of the patient record beside one', () => {
    const roots = Object.values(schema.getQueryType()?.getFields() ?? {}).filter(
      ({ type, args }) => String(type) === 'PatientConnection' && args.some(({ name }) => name === 'first'),
    )
    const searches = roots.flatMap(({ name: root, args }) =>
      args.filter(({ name }) => !['first', 'after'].includes(name)).map(({ name }) => `Query.${root}(${name}:)`),
    )
    const fields = searches.map((argument) => policy.reads.get(argument))
    const indexed = [...policy.searchable.values()].flatMap((index) => [index.path, ...index.with])
    expect(fields.toSorted()).toEqual([...indexed, 'Patient.birthDate'].toSorted())
    expect(searchIndexes(clinicLock())).toEqual([...policy.searchable.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1)))
  })

  it('only clinicians and staff may learn that a patient exists', () => {
    const seeing = [...policy.roles.values()].filter(({ seesExistence }) => seesExistence)
    expect(new Set(seeing.map(({ kind }) => kind))).toEqual(new Set(['CLINICIAN', 'STAFF']))
    expect(policy.roles.get('PARTNER' as Role)).toMatchObject({ mfa: false, mayClaim: ['HPAYMT'] })
  })
})

describe('phi policy', () => {
  const phi = async (...args: string[]) => await runCommand(policyCommand(), args)

  it('prints the table as rows', async () => {
    const { stdout } = await phi('table', '--json')
    expect(JSON.parse(stdout)).toEqual(grantRows(policy))
    expect(JSON.parse(stdout)).toContainEqual({
      role: 'NURSE',
      purposes: 'TREAT ETREAT',
      relationship: 'CARE_TEAM',
      path: 'Patient.birthDate',
      view: 'FULL',
    })
  })

  it('prints the table for people', async () => {
    const { stdout } = await phi('table')
    expect(stdout).toMatch(/^Patient\.ssn +IDENTITY +\(G\) SSN +BILLING +HPAYMT +ORGANIZATION +LAST4$/m)
    expect(stdout).toMatch(/^Patient\.version +a counter/m)
  })

  it.each([
    ['--markdown', '# Who may see what\n'],
    ['--html', '<!doctype html>\n'],
  ])('prints the table with %s', async (option, start) => {
    expect((await phi('table', option)).stdout.slice(0, start.length)).toBe(start)
  })

  it('prints one form at a time', async () => {
    expect(await phi('table', '--html', '--json')).toMatchObject({ code: 1, stdout: '' })
  })

  it('accepts the committed lock', async () => {
    expect(await phi('lock', '--check')).toMatchObject({ stdout: '', stderr: '' })
    expect((await phi('diff')).stdout).toBe('no difference\n')
  })

  it.each(['--output=x', 'HEAD:package.json', 'a b', ''])('rejects %j as a revision', async (revision) => {
    expect(await phi('diff', '--', revision)).toMatchObject({
      code: 1,
      stderr: 'Invalid revision. Use a branch, a tag or a commit, for instance HEAD~1.\n',
    })
  })

  it('reports a revision without a lock', async () => {
    expect(await phi('diff', 'no-such-revision')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no schema/policy.lock') as string,
    })
  })
})
