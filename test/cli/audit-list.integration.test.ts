import { randomBytes } from 'node:crypto'
import { userInfo } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listCommand } from '../../cli/audit-list.ts'
import { newProcessId, newRequestId } from '../../gateway/audit/request-id.ts'
import { parseExport } from '../../gateway/audit/verify/export.ts'
import { isWholeRequest, verifyReceipt } from '../../gateway/audit/verify/receipt.ts'
import { decodeNodeId } from '../../gateway/model/node-id.ts'
import { auditOf, RIVERSIDE } from '../gateway/asking.ts'
import { type ClinicAnswer, runClinic, type RunningClinic } from '../harness/running-clinic.ts'
import { type Ran, runCommand } from './run-command.ts'

const CHART = `query Chart($id: ID!) { patient(id: $id) { familyName birthDate ssn deceasedDate } }`

let clinic: RunningClinic
let patient = ''
let chart: ClinicAnswer
beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  const { data } = await clinic.ask('physician', '{ patients(first: 1) { edges { node { id } } } }')
  patient = (data as { patients: { edges: { node: { id: string } }[] } }).patients.edges[0]?.node.id ?? ''
  chart = await clinic.ask('physician', CHART, { id: patient })
})
afterAll(() => clinic.stop())

const list = async (...words: string[]): Promise<Ran> => await runCommand(listCommand(), words)
const linesOf = ({ stdout }: Ran): string[] => (stdout === '' ? [] : stdout.trimEnd().split('\n'))
const reviews = async () =>
  (await clinic.services.history.entriesBy('user', RIVERSIDE, `os:${userInfo().username}`)).filter(
    ({ action }) => action === 'REVIEW',
  )

describe('phi audit list', () => {
  it.each<[string, string[], string]>([
    ['without a patient, a user and a request', [], 'error: this covers too much of the log. Add or narrow one of '],
    ['with a field alone', ['--path', 'Patient.birthDate'], 'error: this covers too much of the log. Add or narrow one of '],
    [
      'with a malformed request id',
      ['--request', 'nonsense'],
      'error: --request is no request id, which has 24 letters, digits, hyphens and underscores. Copy extensions.phi.requestId of the response.',
    ],
    [
      'with a malformed patient id',
      ['--patient', 'MRN-1'],
      'error: --patient is no patient id. Copy the id of the patient from the API,',
    ],
    ['with a malformed address', ['--user', 'a', '--ip', 'nowhere'], 'error: option '],
    [
      'with a user that nobody has',
      ['--user', 'physicin'],
      'error: the local stack has no such user (--user). Did you mean physician?',
    ],
    [
      'with a field that neither the policy nor a record has',
      ['--user', 'physician', '--path', 'Patient.snn'],
      'error: the policy in force has no such field (--path). Did you mean Patient.ssn',
    ],
    [
      'with an unknown reason',
      ['--user', 'physician', '--reason', 'ROLES'],
      'error: the policy in force has no such reason (--reason). Did you mean ROLE? The reasons are: ROLE, PURPOSE,',
    ],
    [
      'with an unknown basis',
      ['--user', 'physician', '--basis', 'CARETEAM'],
      'error: the policy in force has no such basis (--basis). Did you mean CARE_TEAM? The bases are: ',
    ],
    [
      'with an unknown client',
      ['--user', 'physician', '--client', 'acm'],
      'error: the local stack has no such client (--client). Did you mean acme? The clients are: phi-demo, portal, acme.',
    ],
    ['with an invalid time', ['--user', 'a', '--from', 'yesterday'], 'error: option '],
    ['with a reversed span', ['--user', 'a', '--from', '2026', '--to', '2025'], 'error: --from is later than --to'],
    ['with an invalid tenant', ['--user', 'a', '--tenant', 'No#Tenant'], 'error: option '],
    [
      'for a tenant that does not exist',
      ['--user', 'a', '--tenant', 'riversid'],
      'error: the local stack has no such tenant (--tenant). Did you mean riverside? The tenants are: ',
    ],
    ['with an unknown outcome', ['--user', 'a', '--outcome', 'SEEN'], 'error: option '],
    [
      'with an unknown category',
      ['--user', 'a', '--category', 'LABORATORI'],
      'error: the schema has no such category (--category).',
    ],
    ['with both --listed and --asked', ['--user', 'a', '--listed', '--asked'], 'error: option '],
    ['with an empty option', ['--user', ''], 'error: an option has a value that '],
    ['with an invalid number', ['--user', 'a', '--first', '0'], 'error: option '],
    ['with an unknown option', ['--everything'], 'error: unknown option'],
  ])('P7: %s: prints an error with the cause, and lists nothing', async (_, args, message) => {
    const { code, stdout, stderr } = await list(...args)
    expect(code).toBe(1)
    expect(stdout).toBe('')
    expect(stderr.startsWith(message)).toBe(true)
  })

  it('P7: --json prints all members, from which a verifier checks the receipt; --patient takes a node id or a record id', async () => {
    const { requestId, receipt } = chart.phi
    const entries = await auditOf(clinic, chart)
    const request = await list('--request', requestId, '--json')
    expect(request).toMatchObject({ code: 0, stderr: '' })
    expect(linesOf(request).map((line) => JSON.parse(line) as unknown)).toEqual(entries)
    const { items } = parseExport(request.stdout)
    expect(isWholeRequest(items, requestId)).toBe(true)
    expect(verifyReceipt(items, requestId, String(receipt))).toBe(true)

    const byNodeId = await list('--patient', patient, '--json')
    const byRecordId = await list('--patient', String(decodeNodeId(patient)?.patient), '--json')
    expect(byNodeId.stdout).toBe(byRecordId.stdout)
    for (const line of linesOf(request)) expect(byNodeId.stdout).toContain(line)
  })

  it('P7: each option narrows the list', async () => {
    const subject = ['--request', chart.phi.requestId]
    const paths = async (...words: string[]): Promise<string[]> =>
      linesOf(await list(...subject, '--json', ...words))
        .map((line) => (JSON.parse(line) as { path: string }).path)
        .toSorted()
    const all = ['Patient.birthDate', 'Patient.deceasedDate', 'Patient.familyName', 'Patient.ssn']
    expect(await paths()).toEqual(all)
    expect(await paths('--path', 'Patient.ssn')).toEqual(['Patient.ssn'])
    expect(await paths('--outcome', 'DENIED', 'ABSENT')).toEqual(['Patient.deceasedDate', 'Patient.ssn'])
    expect(await paths('--reason', 'ROLE')).toEqual(['Patient.ssn'])
    expect(await paths('--category', 'DEMOGRAPHIC')).toContain('Patient.birthDate')
    expect(await paths('--category', 'DEMOGRAPHIC')).not.toContain('Patient.ssn')
    expect(await paths('--basis', 'CARE_TEAM', '--user', 'physician', '--purpose', 'TREAT', '--asked')).toContain(
      'Patient.birthDate',
    )
    for (const nothing of [
      ['--listed'],
      ['--persisted'],
      ['--client', 'nobody'],
      ['--action', 'UPDATE'],
      ['--user', 'nurse'],
      ['--patient', 'A'.repeat(22)],
      ['--to', '2000'],
    ])
      expect(await paths(...nothing)).toEqual([])
    expect(await paths('--from', '2000', '--to', '2100')).toEqual(all)
  })

  it('P7: without --json each access is one line; --first and --all bound the list', async () => {
    const people = await list('--request', chart.phi.requestId)
    expect(linesOf(people)).toHaveLength(4)
    expect(people.stdout).toMatch(/ \(PHYSICIAN\) TREAT {2}READ DENIED {2}Patient\.ssn /)
    const two = await list('--user', 'physician', '--first', '2')
    expect(linesOf(two)).toHaveLength(2)
    expect(two.stderr).toBe('More accesses follow. List them with --all.\n')
    const all = await list('--user', 'physician', '--first', '2', '--all')
    expect(linesOf(all).slice(0, 2)).toEqual(linesOf(two))
    expect(linesOf(all).length).toBeGreaterThan(3)
    expect(all.stderr).toBe('')
    expect(await list('--patient', patient, '--from', '2000-01-01', '--to', '2000-01-01')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No access in the log of riverside matches these options.\n',
    })
  })

  it('P7: an empty answer about a request states whether the log has the request', async () => {
    const subject = ['--request', chart.phi.requestId]
    expect((await list(...subject, '--path', 'Patient.phone')).stderr).toBe(
      'No access in the log of riverside matches these options.\n',
    )
    const other = newRequestId(newProcessId(randomBytes), Date.parse('2026-01-02T03:04:05.678Z'), randomBytes)
    expect(await list('--request', other)).toEqual({
      code: 0,
      stdout: '',
      stderr:
        'No record of this request of 2026-01-02T03:04:05.678Z in the log of riverside. A request that asks for no protected field leaves none. Otherwise it is of another tenant, stage or data folder: check --tenant, PHI_STAGE and PHI_DATA.\n',
    })
  })

  it('P7: lists a former user that the log has, and refuses it only if the log has none', async () => {
    expect(await list('--user', 'mallory')).toMatchObject({ code: 1, stdout: '' })
    expect((await list('--user', 'physician', '--from', '2000', '--to', '2000')).code).toBe(0)
  })

  it("P7: each use leaves a record of the review under the operator's account", async () => {
    const before = (await reviews()).length
    await list('--patient', patient, '--outcome', 'DENIED', '--from', '2026')
    const records = (await reviews()).slice(before)
    expect(records).toEqual([
      expect.objectContaining({
        path: 'AuditLog.fieldAccesses',
        outcome: 'REVIEWED',
        client: 'phi-audit',
        operation: 'audit',
        patient: decodeNodeId(patient)?.patient,
        count: 1,
        filter: JSON.stringify({ filter: { patientId: patient, outcome: ['DENIED'], from: Date.parse('2026') }, first: 500 }),
      }),
    ])
    await list('--user', 'a', '--request', 'nonsense')
    expect(await reviews()).toHaveLength(before + 1)
    const own = await list('--user', `os:${userInfo().username}`, '--action', 'REVIEW')
    expect(linesOf(own)).toHaveLength(before + 1)
  })
})
