import { accessSummary } from './access-summary.ts'
import { anomalies } from './anomalies/anomalies.ts'
import type { AuditRoot } from './audit-reader.ts'
import { fieldAccess } from './field-access-root.ts'
import {
  accountingAsGiven,
  accountingOfDisclosures,
  accountings,
  disclosures,
  studyDisclosures,
  suspensions,
} from './disclosures/accounting-roots.ts'
import { fieldAccesses } from './field-accesses.ts'
import { accessReview } from './reports/access-review.ts'
import { exposureReport } from './reports/exposure-report.ts'
import { integrity } from './reports/integrity-report.ts'
import { accessReviewSignOffs, accessReviewStatus } from './reviews/review-roots.ts'

/** The root fields of the auditor's API by name. The schema types the arguments. */
export const AUDIT_ROOTS: Readonly<Record<string, AuditRoot<never>>> = {
  fieldAccess,
  fieldAccesses,
  accessSummary,
  accessReview,
  accessReviewSignOffs,
  accessReviewStatus,
  exposureReport,
  integrity,
  anomalies,
  accountingOfDisclosures,
  disclosures,
  suspensions,
  accountings,
  accountingAsGiven,
  studyDisclosures,
}
