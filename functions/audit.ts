import { clinicLock, clinicTypeDefs } from '../schema/clinic.ts'
import { lambdaAudit } from './lambda-audit.ts'

/** The API of auditors over the accesses of the clinic. */
export const handler = await lambdaAudit({ typeDefs: clinicTypeDefs(), lock: clinicLock() })
