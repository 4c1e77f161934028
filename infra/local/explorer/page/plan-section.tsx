import type { ExplorerConfig } from '../explorer-config.ts'
import type { Explained, Outcome, PlannedPath } from './plan.ts'
import { OUTCOMES, OutcomeBadge } from './outcome-badge.tsx'
import { reasonInWords } from './reasons.ts'
import { RuleText } from './rule-text.tsx'

interface PlanSectionProps {
  /** Undefined while the gateway makes the plan. */
  readonly explained: Explained | undefined
  readonly rules: ExplorerConfig['rules']
}

/** Every PHI path of the operation with its decision. */
export function PlanSection({ explained, rules }: PlanSectionProps) {
  if (explained === undefined) return <p className="note">Asking for the plan…</p>
  if ('unavailable' in explained)
    return (
      <p className="note">{explained.unavailable} This pane shows only what the answer itself says of denied and masked values.</p>
    )
  const { paths, assumed } = explained.plan
  const closable = paths.filter(({ consentCouldClose }) => consentCouldClose === true).length
  return (
    <section aria-label="Plan">
      <ul className="counts" role="status">
        {(Object.keys(OUTCOMES) as Outcome[]).map((outcome) => {
          const count = paths.filter((path) => path.outcome === outcome).length
          return count === 0 ? null : (
            <li key={outcome}>
              <OutcomeBadge outcome={outcome} count={count} />
            </li>
          )
        })}
        {paths.length === 0 && <li>The operation selects no PHI field.</li>}
      </ul>
      <ul className="paths">
        {paths.map((path) => (
          <PathRow key={`${path.path} ${path.action ?? ''}`} path={path} rules={rules} />
        ))}
      </ul>
      {paths.some(({ outcome }) => outcome === 'DEPENDS') && (
        <p className="note">
          The plan depends on the patient. To name one, select the <code>id</code> of the patient in the query, and run it again.
        </p>
      )}
      {closable > 0 && (
        <p className="note">
          A consent of the patient could close {closable} of these fields. The plan does not reveal whether there is one.
        </p>
      )}
      {assumed?.map((line) => (
        <p className="note" key={line}>
          {line}
        </p>
      ))}
      <p className="note">
        <code>explainAccess</code> made this plan. Each plan is a request of its own, and leaves one record in the audit log.
      </p>
    </section>
  )
}

function PathRow({ path, rules }: { readonly path: PlannedPath; readonly rules: ExplorerConfig['rules'] }) {
  const { outcome, view, reason, dependsOn, at, breakGlass, action } = path
  const isDenied = outcome === 'DENIED'
  return (
    <li className={outcome.toLowerCase()}>
      <div className="line">
        <code className="path">{path.path}</code>
        {action === 'SEARCH' && <span className="tag">search</span>}
        <span className="tag">{isDenied ? reason : view}</span>
        <OutcomeBadge outcome={outcome} />
      </div>
      {isDenied && !at && <p>{reasonInWords(reason)}</p>}
      {outcome === 'DEPENDS' && <p>Depends on the patient: {dependsOn?.join(', ')}.</p>}
      {at && (
        <p>
          Decided at <code>{at}</code>, on the way to the field.
        </p>
      )}
      {path.rule && <RuleText label={isDenied ? 'Closest rule' : 'Rule'} rule={path.rule} grant={path.grant} rules={rules} />}
      {breakGlass === true && <p>Break-glass would open it.</p>}
    </li>
  )
}
