-- The log is written once. Entries go only where they were pruned, with a bundle that proves them.

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END $$;

CREATE FUNCTION audit_refuse_unpruned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.idx >= COALESCE((SELECT pruned FROM audit_tree), 0) THEN
        RAISE EXCEPTION 'an entry of the audit log goes only when it is pruned';
    END IF;
    RETURN OLD;
END $$;

CREATE TRIGGER audit_log_never_changes BEFORE UPDATE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_refuse('an entry of the audit log never changes');

CREATE TRIGGER audit_log_never_goes BEFORE DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_unpruned();

CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse('the audit log is never emptied');

CREATE TRIGGER audit_checkpoints_never_change BEFORE UPDATE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION audit_refuse('a checkpoint of the audit log never changes');
