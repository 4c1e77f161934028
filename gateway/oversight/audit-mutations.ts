import type { AuditMutation } from './audit-mutation.ts'
import {
  correctDisclosure,
  describeStudy,
  endSuspension,
  extendAccounting,
  giveAccounting,
  recordDisclosure,
  requestAccounting,
  suspendAccounting,
  withdrawAccountingRequest,
  withdrawDisclosure,
} from './disclosures/accounting-roots.ts'
import { signOffAccessReview } from './reviews/sign-off-act.ts'

/** The fields of `Mutation` of the auditor's API by name. The schema types the arguments. */
export const AUDIT_MUTATIONS: Readonly<Record<string, AuditMutation<never>>> = {
  recordDisclosure,
  correctDisclosure,
  withdrawDisclosure,
  suspendAccounting,
  endSuspension,
  requestAccounting,
  extendAccounting,
  withdrawAccountingRequest,
  giveAccounting,
  describeStudy,
  signOffAccessReview,
}
