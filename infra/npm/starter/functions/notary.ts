import { lambdaNotary } from 'phi-gateway/lambda'
import { lock } from '../schema.ts'

/** The schedule calls it each minute. It seals the audit log. */
export const handler = lambdaNotary({ lock })
