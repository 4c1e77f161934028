import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findMarkers } from '../../harness/canary-markers.ts'
import { type RunningClinic, runClinic } from '../../harness/running-clinic.ts'

let clinic: RunningClinic

beforeAll(async () => {
  clinic = await runClinic({ riverside: 1, lakeside: 1 })
})
// searches all output, like the end of every suite
afterAll(() => clinic.stop())

describe('P8: the canary patient', () => {
  it('is unknown to all other tests, and leaves no event for them', async () => {
    const { status, data, errors } = await clinic.ask('physician', clinic.canary.patient.query, { id: clinic.canary.id })
    expect({ status, data, code: errors[0]?.extensions['code'] }).toEqual({
      status: 200,
      data: { patient: null },
      code: 'NOT_FOUND',
    })
    expect(clinic.events.map(({ event }) => event)).toEqual(['REQUEST'])
  })

  it('is read in full, so that the process opened every value', async () => {
    const { patient } = clinic.canary
    const given = (await clinic.readCanary()).map(({ body }) => body).join('\n')
    const closed = [...patient.markers.byPath].filter(([, marker]) => !given.includes(marker)).map(([path]) => path)
    // Exceptions: sealed parts of a record that are no field, and a value of which every role sees at most four digits.
    expect(closed.filter((path) => !/^source$|\(\w+\)$/.test(path))).toEqual(['Patient.ssn'])
    expect(patient.markers.unsearchable).toEqual([])
    expect(new Set(patient.records.map(({ ref }) => ref.type)).size).toBe(12)
  })

  it('is found in the answers for its own user', async () => {
    const bytes = Buffer.from((await clinic.readCanary()).map(({ body }) => body).join('\n'))
    expect(findMarkers([{ name: 'the answer', bytes }], clinic.canary.patient.markers.byPath)).toContain(
      'the answer: plain of Patient.address.city',
    )
  })
})
