import { warningInWords, type Warning } from '../lib/warnings';

/** What was not done, or not exactly as asked. */
export function WarningList({ warnings }: { warnings: Warning[] }) {
  if (warnings.length === 0) {
    return null;
  }
  return (
    <ul className="note warnings" role="list" aria-label="Notes">
      {warnings.map((warning, index) => (
        <li key={index}>{warningInWords(warning)}</li>
      ))}
    </ul>
  );
}
