import { clinicLock } from '../schema/clinic.ts'
import { lambdaNotary } from './lambda-notary.ts'

/** The schedule calls it each minute. */
export const handler = lambdaNotary({ lock: clinicLock() })
