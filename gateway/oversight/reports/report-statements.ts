import type { PolicyTable } from '../../../directives/policy.ts'
import { reviewStatement } from './access-review.ts'
import { exposureFacets } from './exposure-statements.ts'
import { SEALED_ITEMS } from './integrity-statements.ts'

/** Each statement of the reports by name, as a test of their grammar needs them: with all parts that a filter can have. */
export const REPORT_STATEMENTS = (policy: PolicyTable): Readonly<Record<string, string>> => ({
  accessReview: reviewStatement(policy, [...policy.roles.keys()]).sql,
  exposureReport: exposureFacets(policy, {}).sql,
  exposureReportWithFilter: exposureFacets(policy, {
    patient: 'p',
    user: 'u',
    client: 'c',
    session: 's',
    sourceIp: '192.0.2.1',
    path: 'Patient.ssn',
    categoryPaths: new Set(['Patient.ssn', 'Patient.mrn']),
    outcomes: new Set(['DISCLOSED', 'DENIED']),
    reason: 'ROLE',
    action: 'READ',
    purpose: 'TREAT',
    basis: 'CARE_TEAM',
    requestId: 'r',
    listed: true,
    persisted: false,
  }).sql,
  integrity: SEALED_ITEMS,
})
