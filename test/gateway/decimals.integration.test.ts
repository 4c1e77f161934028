import { afterAll, beforeAll, expect, it } from 'vitest'
import { exactNumber } from '../../gateway/model/exact-number.ts'
import { importResources } from '../harness/imported.ts'
import { type RunningClinic, runClinic } from '../harness/running-clinic.ts'

let clinic: RunningClinic
beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
afterAll(() => clinic.stop())

const subject = { reference: 'Patient/exact' }
const value = (text: string): object => ({ value: exactNumber(text), unit: 'mg' })
const resources = [
  { resourceType: 'Patient', id: 'exact', name: [{ family: 'Exact' }] },
  {
    resourceType: 'CareTeam',
    id: 't',
    status: 'active',
    subject,
    participant: [{ member: { reference: 'Practitioner/physician' } }],
  },
  {
    resourceType: 'Observation',
    id: 'o',
    status: 'final',
    subject,
    code: { text: 'dose' },
    valueQuantity: value('1.10'),
    component: [{ code: { text: 'part' }, valueQuantity: value('12345678901234567890') }],
  },
  {
    resourceType: 'Claim',
    id: 'c',
    status: 'active',
    use: 'claim',
    patient: subject,
    total: { value: exactNumber('129.50'), currency: 'USD' },
  },
]

it('a decimal leaves the gateway with the digits of the file, and a second import finds it unchanged', async () => {
  const { faults, idOf, written } = await importResources(clinic, resources)
  expect(faults).toEqual([])
  expect(written.created).toBe(4)
  const id = idOf('Patient', 'exact', 'exact')
  const chart = `query ($id: ID!) { patient(id: $id) {
    observations { edges { node { valueQuantity { value unit } component { valueQuantity { value } } } } }
  } }`
  const { text } = await clinic.ask('physician', chart, { id })
  expect(text).toContain('"valueQuantity":{"value":1.10,"unit":"mg"}')
  expect(text).toContain('"valueQuantity":{"value":12345678901234567890}')
  const bill = await clinic.ask('billing', 'query ($id: ID!) { patient(id: $id) { claims { edges { node { total } } } } }', { id })
  expect(bill.text).toContain('"total":129.50')
  expect((await importResources(clinic, resources)).written).toMatchObject({ created: 0, updated: 0, unchanged: 4 })
})
