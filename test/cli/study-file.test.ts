import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { MinorsPolicyRefused, readMinorsPolicy } from '../../cli/minors-policy.ts'
import { readStudyFile, StudyRefused } from '../../cli/study-file.ts'
import type { TypeName } from '../../directives/coordinates.ts'
import type { PatientId, RecordId } from '../../gateway/model/ids.ts'
import { MINORS } from '../../gateway/model/minors.ts'
import { encodeNodeId } from '../../gateway/model/node-id.ts'

const PATIENT = Buffer.alloc(16, 7).toString('base64url')
const OTHER = Buffer.alloc(16, 8).toString('base64url')
const idOf = (type: string, patient = PATIENT, id = patient): string =>
  encodeNodeId({ type: type as TypeName, patient: patient as PatientId, id: id as RecordId })
const file = (changes: object = {}): string =>
  JSON.stringify({
    protocol: 'A1C-2026',
    researchers: ['Practitioner/7'],
    until: '2027-01-01T00:00:00Z',
    patients: [idOf('Patient')],
    ...changes,
  })
const refusal = (text: string): StudyRefused => {
  try {
    readStudyFile(text)
  } catch (failure) {
    if (failure instanceof StudyRefused) return failure
    throw failure
  }
  throw new Error('it was read')
}

describe('the file of a study', () => {
  it('has the content to write', () => {
    const until = Date.UTC(2027, 0, 1)
    expect(readStudyFile(file())).toEqual({
      study: { protocol: 'A1C-2026', researchers: ['Practitioner/7'], until },
      patients: [PATIENT],
    })
    const whole = readStudyFile(file({ title: 'Sugar', since: '2026-01-01T00:00:00+01:00', patients: [] }))
    expect(whole.study).toMatchObject({ title: 'Sugar', since: Date.UTC(2025, 11, 31, 23) })
  })

  it.each([
    ['no JSON', '{ "protocol": secret', 'JSON'],
    ['another shape', '[]', 'SHAPE'],
    ['no end', file({ until: undefined }), 'SHAPE'],
    ['a local time', file({ until: '2027-01-01T00:00:00' }), 'SHAPE'],
    ['no researcher', file({ researchers: [] }), 'SHAPE'],
    ['a researcher who is no FHIR identity', file({ researchers: ['secret'] }), 'SHAPE'],
    ['no name of a protocol', file({ protocol: 'secret protocol' }), 'SHAPE'],
    ['a key that nobody knows', file({ secret: 1 }), 'SHAPE'],
    ['an end before the beginning', file({ since: '2028-01-01T00:00:00Z' }), 'PERIOD'],
    ['an id that the API does not give', file({ patients: [idOf('Patient'), 'secret'] }), 'PATIENT'],
    ['the id of another record', file({ patients: [idOf('Condition')] }), 'PATIENT'],
    ['the id of a second record of a patient', file({ patients: [idOf('Patient', PATIENT, OTHER)] }), 'PATIENT'],
  ])('P8: is refused for %s, in fixed words', (_, text, why) => {
    const refused = refusal(text)
    expect(refused.why).toBe(why)
    expect(refused.message).not.toContain('secret')
    expect(refused.cause).toBeUndefined()
  })

  it('P8: reports the place in the list, and not its content', () => {
    expect(refusal(file({ patients: [idOf('Patient'), 'secret'] })).message).toBe(
      'patients[1] is not a patient id. Use the id that the API returns for a patient.',
    )
  })
})

describe('the file of limits for minors', () => {
  it('contains the policy', () => {
    expect(readMinorsPolicy(JSON.stringify(MINORS))).toEqual(MINORS)
  })

  it.each([
    ['no JSON', 'secret'],
    ['ages the other way round', JSON.stringify({ ...MINORS, limitedFrom: 19 })],
    ['a category that there is not', JSON.stringify({ ...MINORS, scope: { categories: ['SECRET'], labeled: false } })],
    ['no word on labels', JSON.stringify({ ...MINORS, scope: { categories: [] } })],
  ])('P8: is refused for %s, in fixed words', (_, text) => {
    expect(() => readMinorsPolicy(text)).toThrow(new MinorsPolicyRefused())
  })
})

it('P8: phi study does not run at a stage with real patients, like phi import', async () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const run = promisify(execFile)(process.execPath, ['cli/phi.ts', 'study', 'list', '--tenant', 'riverside'], {
    cwd,
    env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], PHI_STAGE: 'production' },
  })
  await expect(run).rejects.toMatchObject({
    code: 1,
    stdout: '',
    stderr:
      'error: This runs only where PHI_STAGE is local, test, dev or staging. If the deployment has no data of real patients, set PHI_STAGE to its stage.\nTo see the options, run: phi study list --help\n',
  })
})
