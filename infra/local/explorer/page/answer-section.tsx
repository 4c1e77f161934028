import type { ExplorerConfig } from '../explorer-config.ts'
import type { GatewayAnswer } from './answer.ts'
import { OutcomeBadge } from './outcome-badge.tsx'
import { RuleText } from './rule-text.tsx'

interface AnswerSectionProps {
  /** Undefined for a response that the gateway did not write. */
  readonly answer: GatewayAnswer | undefined
  readonly rules: ExplorerConfig['rules']
}

/** What the answer itself says: `errors`, and `extensions.phi`. */
export function AnswerSection({ answer, rules }: AnswerSectionProps) {
  if (answer === undefined) return <p className="note">The response is not an answer of the gateway.</p>
  const { errors, extensions } = answer
  const { requestId, resolved, denied, masked } = extensions.phi
  const isEmpty = errors.length === 0 && masked.length === 0
  return (
    <section aria-label="This answer">
      <h3>This answer</h3>
      {resolved !== undefined && (
        <p>
          {resolved} PHI {resolved === 1 ? 'value' : 'values'} returned, {denied ?? 0} denied.
        </p>
      )}
      {!isEmpty && (
        <ul className="paths">
          {errors.map(({ message, extensions: { coordinate, reason, code, rule, count } }, index) => (
            <li key={`${coordinate ?? ''} ${index}`} className="denied">
              <div className="line">
                <code className="path">{coordinate ?? code ?? 'error'}</code>
                <span className="tag">{[reason ?? (coordinate && code), times(count)].filter(Boolean).join(' ')}</span>
                {coordinate !== undefined && reason !== undefined && <OutcomeBadge outcome="DENIED" />}
              </div>
              {reason === undefined && <p>{message}</p>}
              {rule !== undefined && <RuleText label="Closest rule" rule={rule} rules={rules} />}
            </li>
          ))}
          {masked.map(({ coordinate, view, count }) => (
            <li key={coordinate + view} className="masked">
              <div className="line">
                <code className="path">{coordinate}</code>
                <span className="tag">{[view, times(count)].filter(Boolean).join(' ')}</span>
                <OutcomeBadge outcome="MASKED" />
              </div>
            </li>
          ))}
        </ul>
      )}
      {requestId !== undefined && (
        <p className="quiet">
          Request <code>{requestId}</code>
        </p>
      )}
    </section>
  )
}

const times = (count: number | undefined): string => (count === undefined || count === 1 ? '' : `× ${count}`)
