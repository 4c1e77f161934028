import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startIssuer } from '../gateway/access/issuer.ts'
import { runClinic } from '../harness/running-clinic.ts'
import { CaseRun, faultOf, patientIn, reasonsIn, valuesIn } from './case-run.ts'

// Runs every folder of `cases` from the import to the answer of the gateway. PHI_SHARED names the folder with `cases`. Without it, this
// check fails, so that it cannot be skipped unnoticed.

/** Cases without their right answer as yet. Each one must still fail, so that the list stays true. */
const PENDING: ReadonlySet<string> = new Set()

const OBSERVATIONS = '{ observations { edges { node { valueString } } } }'

/** The right answer of each case. */
const CASES: Readonly<Record<string, (one: CaseRun) => Promise<void>>> = {
  'absolute-fhir-user': async (one) => {
    await one.imports('input.json', { assigned: false })
    const settings = { fhirBases: { riverside: ['https://source.example/fhir'] } }
    const others = { fhirBases: { riverside: ['https://elsewhere.example/fhir'] } }
    const read = '{ familyName }'
    expect(patientIn(await one.readsByToken('CASE-af1', read, 'token.json', settings))).toEqual({ familyName: 'Example' })
    for (const other of [{}, others]) {
      const answer = await one.readsByToken('CASE-af1', read, 'token.json', other)
      expect(answer.status).toBe(200)
      expect(reasonsIn(answer)).toEqual(['RELATIONSHIP'])
    }
  },
  'address-as-text': async (one) => {
    await one.imports()
    const { address } = patientIn(await one.reads('CASE-at1', '{ address { line city postalCode } }'))
    expect(address).toEqual({ line: ['12 Sample Street, Springfield, IL 62701'], city: null, postalCode: null })
  },
  'allergen-in-the-reaction': async (one) => {
    await one.imports()
    const answer = await one.reads('CASE-ar1', '{ allergyIntolerances { edges { node { code { text } reaction { text } } } } }')
    expect(valuesIn(answer, 'allergyIntolerances')).toEqual([{ code: { text: 'Penicillin G' }, reaction: [{ text: 'Hives' }] }])
  },
  'deceased-without-a-date': async (one) => {
    const { exitCode, faults } = await one.imports()
    expect(exitCode).toBe(1)
    expect(faultOf(faults, 0)).toContain('Patient.deceased')
    expect(patientIn(await one.reads('CASE-dd1', '{ familyName deceasedDate }'))).toEqual({
      familyName: 'Example',
      deceasedDate: null,
    })
  },
  'deleted-in-a-history': async (one) => {
    await one.imports()
    expect(valuesIn(await one.reads('CASE-dh1', OBSERVATIONS), 'observations')).toEqual([])
  },
  'ended-name-and-address': async (one) => {
    await one.imports()
    const read = '{ familyName phone address { line city } }'
    expect(patientIn(await one.reads('CASE-en1', read))).toEqual({
      familyName: 'Presentname',
      phone: '555-0199',
      address: { line: ['2 Shelter Way'], city: 'Newtown' },
    })
    expect(patientIn(await one.reads('CASE-en2', read))).toMatchObject({ familyName: null })
  },
  'ended-place-on-team-of-r5': async (one) => {
    const { exitCode, faults } = await one.imports()
    expect(exitCode).toBe(1)
    expect(faultOf(faults, 2)).toContain('CareTeam')
    const control = await one.imports('control-r4.json')
    expect(control.exitCode).toBe(0)
    for (const mrn of ['CASE-et1', 'CASE-et2']) {
      expect(reasonsIn(await one.reads(mrn, '{ familyName observations { edges { node { id } } } }'))).toEqual([
        'RELATIONSHIP',
        'RELATIONSHIP',
      ])
    }
  },
  'first-is-null': async (one) => {
    const answer = await one.posts('request.json')
    expect([answer.status, answer.errors]).toEqual([200, []])
    expect(valuesIn(answer.data, 'patients').length).toBeGreaterThan(0)
  },
  'folder-of-bulk-export': async (one) => {
    for (const path of ['export', 'export/all.ndjson']) {
      const { exitCode, entries } = await one.imports(path)
      expect([exitCode, entries]).toEqual([0, expect.objectContaining({ read: 3, issues: 0 })])
    }
    expect(valuesIn(await one.reads('CASE-nf1', OBSERVATIONS), 'observations')).toEqual([{ valueString: 'a value' }])
  },
  'hash-of-a-query': async (one) => {
    const first = await one.posts('request-1.json')
    expect(first.errors).toMatchObject([
      { message: 'PersistedQueryNotSupported', extensions: { code: 'PERSISTED_QUERY_NOT_SUPPORTED' } },
    ])
    const second = await one.posts('request-2.json')
    const codes = second.errors.map(({ extensions }) => extensions['code'])
    expect(second.data === undefined || second.data === null ? codes : second.data).toEqual(
      second.data === undefined || second.data === null ? ['PERSISTED_QUERY_NOT_SUPPORTED'] : { viewer: { userId: 'physician' } },
    )
  },
  'implicit-rules': async (one) => {
    const { exitCode, faults } = await one.imports()
    expect(exitCode).toBe(1)
    expect(faultOf(faults, 2)).toContain('implicitRules')
    expect(valuesIn(await one.reads('CASE-ir1', OBSERVATIONS), 'observations')).toEqual([])
  },
  'local-code-first': async (one) => {
    await one.imports()
    const read =
      '{ allergyIntolerances { edges { node { clinicalStatus } } } observations(category: "laboratory") { edges { node { category interpretation } } } }'
    const answer = await one.reads('CASE-lc1', read)
    expect(valuesIn(answer, 'allergyIntolerances')).toEqual([{ clinicalStatus: 'active' }])
    expect(valuesIn(answer, 'observations')).toEqual([{ category: 'laboratory', interpretation: 'HH' }])
  },
  'many-groups': async (one) => {
    expect((await one.asksByToken('{ viewer { roles } }', 'token.json')).data).toEqual({ viewer: { roles: ['PHYSICIAN'] } })
  },
  'merged-patient': async (one) => {
    const { exitCode, replaced } = await one.imports()
    const [old, kept] = [await one.idOf('CASE-mp1'), await one.idOf('CASE-mp2')]
    expect([exitCode, replaced]).toEqual([1, [{ patient: old, by: kept }]])
    const read = '{ allergyIntolerances { edges { node { code { text } } } } }'
    const [ofOld, ofKept] = [await one.reads('CASE-mp1', read), await one.reads('CASE-mp2', read)]
    expect(valuesIn(ofOld, 'allergyIntolerances')).toEqual([{ code: { text: 'Penicillin' } }])
    expect(JSON.stringify((ofOld.phi as { links?: unknown }).links)).toContain(kept)
    expect(JSON.stringify((ofKept.phi as { links?: unknown }).links)).toContain(old)
  },
  'moved-to-another-patient': async (one) => {
    await one.imports('first.json')
    await one.imports('second.json')
    expect(valuesIn(await one.reads('CASE-mv1', OBSERVATIONS), 'observations')).toEqual([])
    expect(valuesIn(await one.reads('CASE-mv2', OBSERVATIONS), 'observations')).toEqual([{ valueString: 'a value' }])
  },
  'no-id-but-a-full-url': async (one) => {
    const { exitCode, entries } = await one.imports()
    expect([exitCode, entries]).toEqual([0, expect.objectContaining({ read: 4, imported: 4 })])
    expect(valuesIn(await one.reads('CASE-fu1', OBSERVATIONS), 'observations')).toEqual([{ valueString: 'a value' }])
    await one.idOf('CASE-fu2')
  },
  'not-done-of-stu3': async (one) => {
    const { exitCode, entries } = await one.imports()
    expect([exitCode, entries]).toEqual([1, expect.objectContaining({ issues: 2 })])
    const read = '{ procedures { edges { node { status } } } immunizations { edges { node { status } } } }'
    const answer = await one.reads('CASE-nd1', read)
    for (const list of ['procedures', 'immunizations']) expect(valuesIn(answer, list)).toEqual([])
  },
  'not-for-the-patient': async (one) => {
    await one.imports()
    const read = '{ observations { edges { node { code { text } } } } documentReferences { edges { node { text } } } }'
    const answer = await one.reads('CASE-np1', read, 'proxy')
    const texts = valuesIn(answer, 'observations').map((node) => (node as { code: { text: string } | null }).code?.text)
    expect(texts.filter((text) => text !== undefined)).toEqual(['np-open'])
    expect(answer.text).not.toContain('For the team only')
  },
  'old-number-with-a-rank': async (one) => {
    await one.imports()
    expect(patientIn(await one.reads('CASE-or1', '{ phone }'))).toEqual({ phone: '555-0002' })
  },
  'one-long-claim': async (one) => {
    for (const file of ['token.json', 'token-empty-group.json', 'token-long-fhir-user.json'])
      expect((await one.asksByToken('{ viewer { roles } }', file)).data).toEqual({ viewer: { roles: ['PHYSICIAN'] } })
  },
  'one-role-as-text': async (one) => {
    expect((await one.asksByToken('{ viewer { roles } }', 'token.json')).data).toEqual({ viewer: { roles: ['PHYSICIAN'] } })
  },
  'postal-code-of-another-country': async (one) => {
    await one.imports()
    await one.enrolls('CASE-STUDY', ['CASE-pc1'])
    const answer = await one.asks('researcher', '{ patients { edges { node { address { postalCode country } } } } }', {
      'x-research-study': 'CASE-STUDY',
    })
    const [patient, ...others] = valuesIn(answer.data, 'patients') as { address: { postalCode: string | null } }[]
    expect([null, '000']).toContain(patient?.address.postalCode)
    expect(others).toEqual([])
  },
  'retracted-later': async (one) => {
    await one.imports('first.json')
    await one.imports('second.json')
    const answer = await one.reads(
      'CASE-rl1',
      '{ observations { edges { node { valueString } } } allergyIntolerances { edges { node { code { text } } } } }',
    )
    for (const list of ['observations', 'allergyIntolerances']) expect(valuesIn(answer, list)).toEqual([])
  },
  'second-category': async (one) => {
    await one.imports()
    const lists = ['social-history', 'survey', 'CH'].map(
      (category, place) => `l${place}: observations(category: "${category}") { edges { node { code { text } } } }`,
    )
    const answer = await one.reads('CASE-sc1', `{ ${lists.join(' ')} }`)
    for (const place of lists.keys()) expect(valuesIn(answer, `l${place}`)).toEqual([{ code: { text: 'Cholesterol' } }])
  },
  'subpotent-vaccine': async (one) => {
    const { exitCode, faults } = await one.imports()
    expect(exitCode).toBe(1)
    expect(faultOf(faults, 2)).toContain('isSubpotent')
    expect(valuesIn(await one.reads('CASE-sp1', '{ immunizations { edges { node { status } } } }'), 'immunizations')).toEqual([])
  },
  'text-beside-its-document': async (one) => {
    const { exitCode } = await one.imports()
    expect(exitCode).toBe(0)
    const answer = await one.reads('CASE-bd1', '{ documentReferences { edges { node { text } } } }')
    expect(valuesIn(answer, 'documentReferences')).toEqual([{ text: 'Seen today, well.' }])
  },
  'until-a-day': async (one) => {
    await one.imports()
    const read =
      '{ d: observations(since: "2020-06-15", until: "2020-06-15") { edges { node { code { text } } } } y: observations(until: "2020") { edges { node { code { text } } } } }'
    const answer = await one.reads('CASE-ud1', read)
    const textsOf = (list: string) =>
      valuesIn(answer, list)
        .map((node) => (node as { code: { text: string } }).code.text)
        .toSorted()
    expect(textsOf('d')).toEqual(['ud-day', 'ud-noon'])
    expect(textsOf('y')).toEqual(['ud-day', 'ud-next', 'ud-noon'])
  },
}

describe('the cases from the field', () => {
  const folder = join(process.env['PHI_SHARED'] ?? '', 'cases')
  let parts: ConstructorParameters<typeof CaseRun>[0]

  beforeAll(async () => {
    expect(process.env['PHI_SHARED'] ?? '', 'PHI_SHARED names the folder').not.toBe('')
    const clinic = await runClinic({ riverside: 1, lakeside: 1 })
    parts = { clinic, issuer: await startIssuer() }
  })
  afterAll(async () => {
    await parts.issuer.stop()
    await parts.clinic.stop()
  })

  it('each folder has an entry here', () => {
    const folders = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []))
    expect(Object.keys(CASES).toSorted()).toEqual(folders.toSorted())
    expect([...PENDING].filter((name) => !Object.hasOwn(CASES, name))).toEqual([])
  })

  for (const [name, check] of Object.entries(CASES)) {
    const run = async (): Promise<void> => {
      await check(new CaseRun(parts, join(folder, name)))
    }
    if (PENDING.has(name)) it.fails(`${name} has a wrong answer as yet`, run)
    else it(`${name} has its right answer`, run)
  }
})
