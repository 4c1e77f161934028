import { describe, expect, it } from 'vitest'
import { Notices } from '../../../gateway/disclosure/notices.ts'
import { compilePolicy } from '../../../directives/compile.ts'
import { newDisclosureCounter } from '../../../gateway/disclosure/disclosure-counter.ts'
import { FailureReasons } from '../../../gateway/disclosure/failure-reasons.ts'
import { NODE_IDS, type PublicIds } from '../../../gateway/access/public-ids.ts'
import { RecordValues } from '../../../gateway/disclosure/record-values.ts'
import type { RecordState } from '../../../gateway/disclosure/record-view.ts'
import type { AccessRecord } from '../../../gateway/model/access-record.ts'
import type { SchemaPath, TypeName } from '../../../directives/coordinates.ts'
import type { PatientId, RecordId, RequestId, TenantId } from '../../../gateway/model/ids.ts'
import { callerWith, factsOf, NOW } from '../decide/clinic-policy.ts'

const sdl = `type Query { person(id: ID!): Person }
type Person @record(patient: "id") { id: ID! @notPhi(because: "for a test")
  mrn: String @phi(category: IDENTITY, identifier: MRN)
    @minimumNecessary(roles: [RESEARCHER], purposes: [HRESCH], relationship: ORGANIZATION, view: PSEUDONYM) }`
const { policy } = compilePolicy([{ name: 'pseudonym.graphql', sdl }], { relationships: 'unchecked' })
const MRN = 'Person.mrn' as SchemaPath

function given(ids: PublicIds) {
  const ref = { type: 'Person' as TypeName, patient: 'p' as PatientId, id: 'p' as RecordId }
  const state: RecordState = {
    ref,
    version: 1,
    erased: false,
    listed: false,
    metadata: { open: {}, references: {} },
    facts: factsOf(['ORGANIZATION']),
    outcomes: new Map(),
  }
  const counter = newDisclosureCounter()
  const failures = new FailureReasons({ requestId: 'r' as RequestId, tenant: 'riverside' as TenantId, events: () => undefined })
  const caller = callerWith(['RESEARCHER'], 'HRESCH')
  const recorded: AccessRecord[] = []
  const record = (access: AccessRecord): void => void recorded.push(access)
  const parts = { caller, now: NOW, policy, computed: {}, ids, counter, failures, record, notices: new Notices() }
  const opened = { version: 1, metadata: state.metadata, maxBytes: () => 7, value: () => 'MRN-1' }
  new RecordValues(parts, state, opened).settle(new Set([MRN]), 'RESERVED')
  return { outcome: state.outcomes.get(MRN), recorded, counter }
}

describe('C18: the view PSEUDONYM', () => {
  it('gives the pseudonym of the place, and not the value', () => {
    const { outcome, recorded } = given({ ...NODE_IDS, standIn: ({ id }, path) => `stand-in of ${id} ${path}` })
    expect(outcome).toEqual({ outcome: 'MASKED', view: 'PSEUDONYM', value: 'stand-in of p Person.mrn' })
    expect(recorded).toMatchObject([{ outcome: 'MASKED', view: 'PSEUDONYM' }])
  })

  it('is null without a study', () => {
    const { outcome, counter } = given(NODE_IDS)
    expect(outcome).toEqual({ outcome: 'MASKED', view: 'PSEUDONYM', value: null })
    expect(counter.resolved).toBe(0)
  })
})
