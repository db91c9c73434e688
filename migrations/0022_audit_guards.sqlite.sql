-- The log is written once. Entries go only where they were pruned, with a bundle that proves them.

CREATE TRIGGER audit_log_never_changes BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log never changes');
END;

CREATE TRIGGER audit_log_never_goes BEFORE DELETE ON audit_log
WHEN OLD.idx >= COALESCE((SELECT pruned FROM audit_tree), 0)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log goes only when it is pruned');
END;

CREATE TRIGGER audit_checkpoints_never_change BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'a checkpoint of the audit log never changes');
END;
