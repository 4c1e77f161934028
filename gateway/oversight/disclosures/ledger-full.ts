import { Failure } from '../../model/failures.ts'

/** A ledger, or an accounting that is given, has no room for more. */
export class LedgerFull extends Failure {
  override readonly name = 'LedgerFull'
  readonly code = 'OPERATION_TOO_COSTLY'
  constructor(options?: ErrorOptions) {
    super('The accounting has no room for more.', options)
  }
}
